/**
 * Records the histories that test/replay/replay.server.test.ts replays: npm run record [-- TYPE...]
 * Run it after a deliberate change of a workflow that no old run can meet; otherwise patch instead. Histories of
 * released workflows are moved to histories/former/ and stay.
 */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { historyToJSON, type History } from '@temporalio/common/lib/proto-utils.js';
import { startTemporal } from '../support/temporal.ts';
import { perform } from './perform.ts';
import type { Scene } from './scene.ts';
import { SCENES, fileOf } from './scenes/index.ts';

const folder = new URL('./histories/', import.meta.url);

/** Stack traces, identities and sticky queues name the recording machine; replay reads none of them. */
function withoutPlaces(key: string, value: unknown): unknown {
  if (key === 'stackTrace' || key === 'identity') return '';
  const sticky = (value as { kind?: string } | null)?.kind === 'TASK_QUEUE_KIND_STICKY';
  return key === 'taskQueue' && sticky ? { ...(value as object), name: 'sticky' } : value;
}

async function keep(scene: Scene, history: History): Promise<void> {
  const text = JSON.stringify(JSON.parse(historyToJSON(history), withoutPlaces));
  const last = history.events?.at(-1);
  if (scene.shortHistory && !last?.workflowExecutionContinuedAsNewEventAttributes) {
    throw new Error(`${fileOf(scene)} did not continue as new`);
  }
  await writeFile(new URL(fileOf(scene), folder), `${text}\n`);
  const size = `${history.events?.length ?? 0} events, ${Math.ceil(text.length / 1024)} KiB`;
  process.stdout.write(`${fileOf(scene)}: ${size}\n`);
}

async function record(scenes: readonly Scene[], settings: readonly string[]): Promise<void> {
  if (scenes.length === 0) return;
  const env = await startTemporal(settings);
  try {
    for (const scene of scenes) await keep(scene, await perform(env, scene));
  } finally {
    await env.teardown();
  }
}

const types = process.argv.slice(2);
const wanted = SCENES.filter(({ type }) => types.length === 0 || types.includes(type));
await mkdir(folder, { recursive: true });
for (const file of await readdir(folder)) {
  const known = SCENES.some((scene) => fileOf(scene) === file);
  if (file.endsWith('.json') && !known) await rm(new URL(file, folder));
}
await record(
  wanted.filter(({ shortHistory }) => shortHistory === undefined),
  [],
);
for (const scene of wanted.filter(({ shortHistory }) => shortHistory !== undefined)) {
  await record([scene], [`limit.historyCount.suggestContinueAsNew=${scene.shortHistory}`]);
}
