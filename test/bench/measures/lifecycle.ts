/** How long nobody serves what was decided, and how long a training stands still when its worker dies. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { startApi } from '../../support/api-process.ts';
import type { LoadOrder, TimedAnswer } from '../load-process.ts';
import { fixedPeer, spreadOf, type Measure } from '../measure.ts';
import { retire, sharedStack, type BenchStack } from '../stack.ts';
import { longExperiment, smallExperiment } from '../workload-specs.ts';

const SWITCHED = 'switched';
const INSTRUMENT = '^GSPC';
const CLIENTS = 8;
const PER_SECOND = 100;
/** Of load before a promotion is asked for, and after the switch until the answers are looked at. */
const AROUND_MS = 500;

interface Load {
  /** What was answered since the last call. */
  answers(): Promise<readonly TimedAnswer[]>;
  end(): void;
}

function startLoad(order: LoadOrder): Load {
  const script = join(import.meta.dirname, '../load-process.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', script, JSON.stringify(order)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async answers() {
      child.stdin.write('answers\n');
      const { value, done } = await lines.next();
      if (done) throw new Error('the clients ended early');
      return JSON.parse(value) as readonly TimedAnswer[];
    },
    end: () => child.stdin.end(),
  };
}

interface Switch {
  readonly intentMs: number;
  readonly switchedMs: number;
  readonly version: number;
}

/** Lets the other of two versions serve, and waits until the rows say so. */
async function switchVersion({ db, request, until }: BenchStack): Promise<Switch> {
  const newest = () =>
    db
      .selectFrom('champion')
      .innerJoin('promotion', 'promotion.id', 'champion.promotion_id')
      .select(['champion.version', 'champion.generation', 'valid_from', 'created_at'])
      .where('champion.model', '=', SWITCHED)
      .orderBy('champion.generation', 'desc')
      .limit(1)
      .executeTakeFirstOrThrow();
  const before = await newest();
  const version = before.version === 1 ? 2 : 1;
  const path = `/api/v1/ml-models/${SWITCHED}/promote`;
  const body = { version, reason: 'the other one' };
  const { status } = await request('POST', path, body, {
    'idempotency-key': `switch-${before.generation}`,
  });
  assert.equal(status, 202);
  return until(`version ${version} to be champion`, async () => {
    const now = await newest();
    if (now.generation === before.generation) return undefined;
    const [intentMs, switchedMs] = [now.created_at.getTime(), now.valid_from.getTime()];
    return { intentMs, switchedMs, version };
  });
}

/** Of the new version, by each replica: the last of their first answers. */
function lastFirstAnswer(answers: readonly TimedAnswer[], replicas: number, version: number) {
  const firsts = Array.from({ length: replicas }, (_, replica) =>
    answers.find((one) => one.replica === replica && one.version === version),
  );
  const missing = firsts.findIndex((first) => first === undefined);
  assert.equal(missing, -1, `replica ${missing} gave no answer of version ${version}`);
  return Math.max(...firsts.map((first) => first!.atMs));
}

export const promote: Measure = {
  name: 'promote',
  docs: `Commit of the switch of champions -> first answer with the new version by the last of two replicas, while ${CLIENTS} clients ask ${PER_SECOND} times a second.`,
  unit: 'ms',
  better: 'lower',
  target: 1,
  needsBuild: true,
  async open() {
    const stack = await sharedStack();
    for (const seed of [1, 2]) await stack.complete(smallExperiment(SWITCHED, seed));
    const second = await startApi(stack.stack);
    const urls = [stack.url, second.url];
    const load = startLoad({
      ...{ urls, key: stack.key, model: SWITCHED, instrument: INSTRUMENT },
      ...{ clients: CLIENTS, perSecond: PER_SECOND },
    });
    const prepared: number[] = [];
    let [asked, failed] = [0, 0];
    return {
      ours: {
        name: 'ratchet',
        async round() {
          await pause(AROUND_MS);
          const { intentMs, switchedMs, version } = await switchVersion(stack);
          await pause(AROUND_MS);
          const answers = await load.answers();
          asked += answers.length;
          failed += answers.filter(({ status }) => status !== 200).length;
          prepared.push(switchedMs - intentMs);
          const after = answers.filter(({ atMs }) => atMs >= switchedMs);
          return lastFirstAnswer(after, urls.length, version) - switchedMs;
        },
        async close() {
          load.end();
          await second.end();
          await retire(stack, SWITCHED);
        },
      },
      peers: [fixedPeer('promised', 300)],
      also: () => ({ 'intent to switch, ms': spreadOf(prepared).median, requests: asked }),
      broken: () => (failed > 0 ? [`${failed} of ${asked} requests failed`] : []),
    };
  },
};

/** The worker is killed halfway through the next one. */
const EPOCHS_BEFORE = 3;
let seed = 0;

interface Epoch {
  readonly epoch: number;
  readonly attempt: number;
  readonly seconds: number;
}

/** In order of their ends. */
async function epochsOf({ db }: BenchStack, id: string) {
  const rows = await db
    .selectFrom('experiment_event')
    .select(['payload', 'at'])
    .where('experiment_id', '=', id)
    .where('kind', '=', 'epoch')
    .orderBy('seq')
    .execute();
  return rows.map(({ payload, at }) => ({
    ...(payload as unknown as Epoch),
    endedMs: at.getTime(),
  }));
}

/** The epoch that the newest checkpoint goes on in. */
async function checkpointEpoch({ db }: BenchStack): Promise<number> {
  const newest = db.selectFrom('fit_checkpoint').select('epoch').orderBy('id', 'desc').limit(1);
  return (await newest.executeTakeFirst())?.epoch ?? 1;
}

/** Kills the training worker within an epoch; seconds until an epoch has run again, and epochs that run twice. */
async function killedAndBack(stack: BenchStack): Promise<{ seconds: number; lost: number }> {
  const id = await stack.start(longExperiment('resumed', ++seed));
  const { seconds } = await stack.until(`epoch ${EPOCHS_BEFORE}`, async () =>
    (await epochsOf(stack, id)).find(({ epoch }) => epoch === EPOCHS_BEFORE),
  );
  await pause(500 * seconds);
  const training = stack.stack.status().parts.find(({ name }) => name === 'training');
  const killedMs = Date.now();
  process.kill(training!.pid!, 'SIGKILL');
  await pause(AROUND_MS);
  const told = await epochsOf(stack, id);
  const resumed = await checkpointEpoch(stack);
  const again = await stack.until('an epoch of the next attempt', async () =>
    (await epochsOf(stack, id)).find(({ attempt }) => attempt > 1),
  );
  await stack.request('POST', `/api/v1/experiments/${id}/cancel`);
  return {
    seconds: (again.endedMs - killedMs) / 1_000,
    lost: told.at(-1)!.epoch + 1 - resumed,
  };
}

export const resume: Measure = {
  name: 'resume',
  docs: '`kill -9` of the training worker in the middle of an epoch -> the first epoch that ran to its end after it.',
  unit: 's',
  better: 'lower',
  target: 1,
  needsBuild: true,
  warmUp: false,
  async open() {
    const stack = await sharedStack();
    let lost = 0;
    return {
      ours: {
        name: 'ratchet',
        async round() {
          const back = await killedAndBack(stack);
          lost = Math.max(lost, back.lost);
          return back.seconds;
        },
        close: async () => undefined,
      },
      peers: [fixedPeer('promised', 15)],
      also: () => ({ 'epochs lost at most': lost }),
      broken: () => (lost > 1 ? [`${lost} epochs lost`] : []),
    };
  },
};
