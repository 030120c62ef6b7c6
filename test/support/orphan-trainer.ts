/** A worker with a training child, to be killed: prints the child's process id, then its first epoch. */
import { createTrainer } from '../../workers/training-slot.ts';
import { callbacks, lstmJob } from './training-job.ts';

const trainer = createTrainer({
  log: { debug: () => {} },
  onStart: (pid) => console.log(JSON.stringify({ pid })),
});
await trainer.train(
  lstmJob(),
  callbacks({ onEpoch: ({ epoch }) => console.log(JSON.stringify({ epoch })) }),
  new AbortController().signal,
);
