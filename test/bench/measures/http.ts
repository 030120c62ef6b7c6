import { setTimeout as pause } from 'node:timers/promises';
import { spreadOf, type Measure, type Opened, type Side, type Workload } from '../measure.ts';
import {
  jsonRequest,
  openLoadGenerator,
  type LoadGenerator,
  type LoadResult,
} from '../serving/load.ts';
import { startPeerServer, SYMBOL, type PeerServer } from '../serving/peers.ts';
import { INSTRUMENT, LOOKBACK, openServingScene, type ServingScene } from '../serving/scene.ts';

const ROUND_SECONDS = 1.5;
/** Before anything counts: both sides compile what they run often. */
const WARM_UP_SECONDS = 4;
const WARM_UP_CLIENTS = 32;
/** What a round may leave in the spool is recorded within this. */
const RECORDED_WITHIN_MS = 30_000;

interface Asked {
  readonly name: string;
  readonly docs: string;
  readonly peer: PeerServer;
  readonly clients: number;
  /** API processes, and processes of the peer, each on a port of its own. */
  readonly processes: number;
  /** Answers that an API process remembers; 0: each is computed. */
  readonly remembered?: number;
  readonly confidence?: 'none' | 'mc';
  /** The features are in the request. */
  readonly window?: true;
  /** Default: 4. */
  readonly warmUpSeconds?: number;
  readonly target: number;
  /** Also a lower 99 % quantile of the time to an answer is promised. */
  readonly p99?: true;
}

/** Path and body of the peer for what is asked. */
function peerRequest({ peer, confidence, window }: Asked, values: Float64Array): string {
  if (peer === 'MLflow') {
    return jsonRequest('/invocations', JSON.stringify({ inputs: [SYMBOL] }));
  }
  if (window) return jsonRequest('/window', JSON.stringify({ x: rowsOf(values) }));
  const path = confidence === 'mc' ? '/samples' : '/symbol';
  return jsonRequest(path, JSON.stringify({ symbol: SYMBOL }));
}

function ownRequest({ confidence = 'none', window }: Asked, scene: ServingScene): string {
  const { values, lastClose, asOf } = scene.window;
  const own = { window: rowsOf(values), lastClose, openTime: new Date(asOf).toISOString() };
  const body = { instrument: INSTRUMENT, confidence, ...(window ? own : {}) };
  const headers = { authorization: `Bearer ${scene.key}` };
  const path = `/api/v1/ml-models/${scene.model}/predict`;
  return jsonRequest(path, JSON.stringify(body), headers);
}

function rowsOf(values: Float64Array): readonly (readonly number[])[] {
  const width = values.length / LOOKBACK;
  return Array.from({ length: LOOKBACK }, (_, row) => [
    ...values.subarray(row * width, (row + 1) * width),
  ]);
}

interface Clients extends Side {
  readonly results: readonly LoadResult[];
}

/** The same clients for each side: requests answered a second. */
function clientsOf(
  generator: LoadGenerator,
  { clients, warmUpSeconds = WARM_UP_SECONDS }: Asked,
  side: {
    readonly name: string;
    readonly ports: readonly number[];
    readonly request: string;
    readonly settle?: (answered: number) => Promise<void>;
    readonly close: () => Promise<void>;
  },
): Clients & { warmUp(): Promise<void> } {
  const results: LoadResult[] = [];
  const load = async (seconds: number, atOnce: number): Promise<LoadResult> => {
    const { ports, request, name } = side;
    const result = await generator.run({ ports, request, seconds, clients: atOnce });
    if (result.failed > 0) throw new Error(`${name}: ${result.failed} failed: ${result.body}`);
    await side.settle?.(result.requests);
    return result;
  };
  return {
    ...{ name: side.name, results, close: side.close },
    warmUp: async () => void (await load(warmUpSeconds, WARM_UP_CLIENTS)),
    async round() {
      const result = await load(ROUND_SECONDS, clients);
      results.push(result);
      return result.requestsPerSecond;
    },
  };
}

const p99Of = ({ results }: Clients): number =>
  spreadOf(results.slice(1).map(({ p99Ms }) => p99Ms)).median;

async function open(asked: Asked, { folder }: Workload): Promise<Opened> {
  const scene = await openServingScene(folder);
  const { remembered, processes } = asked;
  const env = remembered === undefined ? {} : { RATCHET_REMEMBERED_ANSWERS: String(remembered) };
  const each = <T>(start: () => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: processes }, start));
  const apis = await each(() => scene.api(env));
  const peers = await each(() => startPeerServer(asked.peer, folder));
  const generator = openLoadGenerator();
  let answered = 0;
  const ours = clientsOf(generator, asked, {
    ...{ name: 'ratchet', ports: apis.map(({ port }) => port) },
    request: ownRequest(asked, scene),
    // Each answer is a row of the registry before the peer has its turn.
    settle: async (more) => allRecorded(scene, (answered += more)),
    async close() {
      generator.close();
      for (const api of apis) await api.close();
      await scene.close();
    },
  });
  const peer = clientsOf(generator, asked, {
    ...{ name: asked.peer, ports: peers.map(({ port }) => port) },
    request: peerRequest(asked, scene.window.values),
    async close() {
      for (const one of peers) await one.close();
    },
  });
  await ours.warmUp();
  await peer.warmUp();
  return {
    ...{ ours, peers: [peer] },
    broken() {
      const [own, other] = [p99Of(ours), p99Of(peer)];
      if (!asked.p99 || own < other) return [];
      return [`p99 ${own.toFixed(1)} ms, ${asked.peer} ${other.toFixed(1)}`];
    },
    also: () => ({ p99Ms: p99Of(ours), peerP99Ms: p99Of(peer) }),
  };
}

async function allRecorded(scene: ServingScene, answered: number): Promise<void> {
  const until = performance.now() + RECORDED_WITHIN_MS;
  for (;;) {
    const recorded = await scene.recorded();
    if (recorded === answered) return;
    if (recorded > answered || performance.now() > until) {
      throw new Error(`${answered} predictions were answered, ${recorded} are recorded`);
    }
    await pause(100);
  }
}

const measureOf = (asked: Asked): Measure => ({
  ...{ name: asked.name, docs: asked.docs, target: asked.target },
  ...{ unit: 'requests/s', better: 'higher', needsBuild: true },
  open: (workload) => open(asked, workload),
});

const WAY =
  'POST predict by instrument, confidence none: key, checks, stored bars, answer recorded';
const computed = { remembered: 0, peer: 'FastAPI', target: 1.3, p99: true } as const;
const remembered = { peer: 'FastAPI', target: 3 } as const;
const one = { clients: 1, processes: 1 } as const;
const many = { clients: 32, processes: 1 } as const;
const two = { clients: 32, processes: 2 } as const;

export const HTTP_MEASURES: readonly Measure[] = [
  {
    name: 'http-predict',
    docs: `${WAY}; each computed; 32 clients, a process.`,
    ...computed,
    ...many,
  },
  /**
   * Of some 200 us of the thread that answers (perf, cpu-prof; two cores): the network 93, which
   * the peer's run takes too; reading the request 38 (parser 14, its headers and streams 20); the
   * answer's way out 27 (of which the kernel, with the waking of the client, 20); its line in the
   * spool 12 (of which the write 8); the forecast as JSON, checks and metrics 25; garbage 5 (a
   * scavenge of .4 ms every 98 answers, 41 kB each, which is more than one in a hundred). What a
   * thread that fell asleep between two answers takes longer, some 25 us, is saved by busy polling:
   * the same CPU time, answers of the cache 25 to 29 % more, computed ones 9 to 17 % (against the
   * same build without it, by turns). PostgreSQL takes 18 to 20 us a row of the other core, which
   * the client needs as well: it waits 10 to 20 us an answer for it.
   */
  { name: 'http-predict-alone', docs: `${WAY}; each computed; a client.`, ...computed, ...one },
  {
    name: 'http-predict-two',
    docs: `${WAY}; each computed; 32 clients, two processes.`,
    ...computed,
    ...two,
  },
  {
    name: 'http-predict-cached',
    docs: `${WAY}; answers remembered; 32 clients.`,
    ...remembered,
    ...many,
  },
  {
    name: 'http-predict-cached-alone',
    docs: `${WAY}; answers remembered; a client.`,
    ...remembered,
    ...one,
  },
  {
    name: 'http-predict-cached-two',
    docs: `${WAY}; answers remembered; 32 clients, two processes.`,
    ...remembered,
    ...two,
  },
  {
    name: 'http-predict-bentoml',
    docs: `${WAY}; each computed; 32 clients, a process.`,
    ...computed,
    ...many,
    peer: 'BentoML' as const,
    target: 5,
  },
  {
    name: 'http-predict-mlflow',
    docs: `${WAY}; each computed; 32 clients, a process.`,
    ...computed,
    ...many,
    peer: 'MLflow' as const,
    target: 5,
  },
  /**
   * Both sides run the same graph: the peer has our export, and what is better at it makes the peer as fast. Of 6.1 ms of a
   * core for an answer (CPU time by thread, two cores, warm) the run takes 5.2 to 5.4 (no page faults, with or without an
   * arena; two runs at once do not slow each other), so that 385 answers a second are the limit; noise and the window's
   * digest .2, the thread that answers .36 to .4 (a share of a run without dropout among it), V8's helpers .07, the clients
   * .06. The peer's best rounds take 6.3 to 6.4 (312 to 319 a second, ours 316 to 330): the ratio is near 1.05 on a machine
   * that does nothing else, and at most 1.2 were ours free of charge but for the run. Where others disturb it, the peer's 32
   * runs in flight suffer more than our two (250 a second against 290 to 310).
   *
   * The run, of 100 samples: 725 MFLOP in products of matrices, 3.1 ms of it, which is the peak of a core with AVX-512 (235
   * GFLOP/s); sigmoid and tanh .7; products, sums, splits and some 1,700 calls of operators the rest. What does not help,
   * with the same bits: chunks (1.9 ms for 25 samples, 3.0 for 50), samples of two windows in one run (10.15 ms for both),
   * two to six steps a turn of the Scan (0), the LSTM operator for each step (+.35), the bias as rows (0) or left out (.1, a
   * bound), no memory patterns, other levels of optimisation (0), garbage collected in one thread (0). Fewer FLOP
   * would: a fifth of a layer's inputs is dropped, which is multiplied by zero here.
   */
  {
    name: 'http-predict-mc',
    docs: 'The same with 100 Monte-Carlo samples, each computed; 32 clients, a process.',
    ...computed,
    ...many,
    confidence: 'mc' as const,
    // A few hundred answers a second: what makes them is compiled later than that of thousands.
    warmUpSeconds: 12,
  },
  {
    name: 'http-predict-mc-cached',
    docs: 'The same with 100 Monte-Carlo samples, answers remembered; 32 clients.',
    ...remembered,
    ...many,
    confidence: 'mc' as const,
    target: 1.3,
  },
  {
    name: 'http-window',
    docs: 'POST predict with 60 x 152 features as JSON, validated; 32 clients.',
    ...remembered,
    ...many,
    window: true as const,
    target: 2.5,
  },
].map(measureOf);
