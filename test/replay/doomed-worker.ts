/** A worker that gets stuck in the activity named by its second argument, for the recorder to kill. */
import { NativeConnection } from '@temporalio/worker';
import type { Activities } from '../../activities/index.ts';
import { scriptedActivities } from '../support/scripted-activities.ts';
import { withWorkers } from '../support/workflow-workers.ts';

const [address, stuckIn] = process.argv.slice(2);
const connection = await NativeConnection.connect({ address: address! });
const { activities } = scriptedActivities();
const stuck = (): Promise<never> => {
  process.stdout.write('stuck\n');
  return new Promise(() => undefined);
};
const all = { ...activities, [stuckIn!]: stuck } as Activities;
await withWorkers(connection, all, () => new Promise(() => undefined));
