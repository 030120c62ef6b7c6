import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { calendarFor } from '../../../core/calendar/index.ts';
import { buildFeatures, featureSetOrThrow } from '../../../core/features/index.ts';
import type { Measure, Opened, Workload } from '../measure.ts';
import { LOOKBACK, openServingScene, servedBars, type ServingScene } from '../serving/scene.ts';

/** 20 years of sessions. */
const SESSIONS = 5_040;

/** Rows of features, from the first complete one on, as the peer reads them. */
function writeFeatures(folder: string): number {
  const set = featureSetOrThrow('technical-152');
  const { values, names, firstWarmRow } = buildFeatures(set, servedBars(), calendarFor('nyse'));
  writeFileSync(join(folder, 'features.f64'), values.subarray(firstWarmRow * names.length));
  return names.length;
}

/** Asks for the range once, and takes its lines as they come; how many answers a second. */
async function answersPerSecond({ model, key }: ServingScene, port: number): Promise<number> {
  const opened = servedBars().openTime.at(-SESSIONS)!;
  const from = performance.now();
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/ml-models/${model}/batch-predict`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      range: {
        from: new Date(opened).toISOString(),
        to: new Date(servedBars().openTime.at(-1)!).toISOString(),
      },
    }),
  });
  if (!response.ok) throw new Error(await response.text());
  let tail = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body!) {
    tail = (tail + decoder.decode(chunk, { stream: true })).slice(-200);
  }
  const spent = performance.now() - from;
  const end = JSON.parse(tail.trimEnd().split('\n').at(-1)!) as { rows?: number; failed?: number };
  if (end.rows !== SESSIONS || end.failed !== 0) throw new Error(`it ended with ${tail}`);
  return (1_000 * SESSIONS) / spent;
}

export const httpBatch: Measure = {
  name: 'http-batch',
  docs: `batch-predict over ${SESSIONS} sessions of one instrument, confidence none, features from stored bars, lines of JSON; the limit is onnxruntime alone over windows that are ready, one a run.`,
  ...{ unit: 'windows/s', better: 'higher', target: 0.8, needsBuild: true },
  async open({ folder, peer }: Workload): Promise<Opened> {
    const scene = await openServingScene(folder);
    const columns = writeFeatures(folder);
    const api = await scene.api();
    const args = [folder, LOOKBACK, columns, SESSIONS].map(String);
    const limit = await peer('onnx_loop.py', args);
    return {
      ours: {
        name: 'ratchet',
        round: () => answersPerSecond(scene, api.port),
        async close() {
          await api.close();
          await scene.close();
        },
      },
      peers: [limit],
    };
  },
};
