import { RatchetError } from '../errors.ts';
import type { RegressionLabel } from '../labels/label.ts';
import type { OnnxSession, SessionOpener } from '../onnx/session.ts';
import { windowInputs } from '../packages/golden.ts';
import type { WindowShape } from '../packages/golden.ts';
import type { ScalerState } from '../scaling/scaler.ts';
import { clamp, directionOf } from './direction.ts';
import { monteCarloNoise, windowDigest } from './noise.ts';

/** One window to be sampled. */
export interface MonteCarloRequest {
  /** Raw window, row-major [lookback x features]. */
  readonly window: Float64Array;
  readonly samples: number;
  /** Position of its instrument among those of the package; read where the graph scales by instrument. */
  readonly instrument?: number | undefined;
  /** With the window and the sample number it fixes the noise: the package's digest. */
  readonly noiseKey: string;
  /** Nobody waits for it: samples that somebody waits for go first, where the runner has a queue. */
  readonly background?: boolean;
}

/**
 * Draws Monte-Carlo samples. 100 samples of the full network take 5 to 6 ms of a core, in one piece:
 * serving runs them in a worker thread behind this interface, activities in place (`openMonteCarlo`).
 */
export interface MonteCarloRunner {
  /** Row-major [samples x horizons] in learnt label units. */
  sample(request: MonteCarloRequest): Promise<Float64Array>;
  release(): Promise<void>;
}

/** What a runner needs to know of its graph. */
export interface MonteCarloShape extends WindowShape {
  readonly noiseWidth: number;
}

/** Where noise is laid, for one run after the other; runs at once have each their own. */
class NoiseRoom {
  #free: Float32Array | undefined;

  /** `size` numbers of whatever value. */
  take(size: number): Float32Array {
    const free = this.#free;
    this.#free = undefined;
    return free?.length === size ? free : new Float32Array(size);
  }

  giveBack(room: Float32Array): void {
    this.#free = room;
  }
}

/** Samples by a session that is open in this thread; the same request gives the same bits. */
export async function drawSamples(
  session: Pick<OnnxSession, 'inputNames' | 'run'>,
  shape: MonteCarloShape,
  { window, samples, noiseKey, instrument }: MonteCarloRequest,
  rooms = new NoiseRoom(),
): Promise<Float64Array> {
  const key = { packageDigest: noiseKey, windowDigest: windowDigest(window) };
  const room = rooms.take(samples * shape.noiseWidth);
  const noise = {
    data: monteCarloNoise(key, samples, shape.noiseWidth, room),
    dims: [samples, shape.noiseWidth],
  };
  // Close 1 gives learnt units (a ratio) where the graph would give a price.
  const inputs = windowInputs(
    session,
    shape,
    window,
    () => 1,
    () => instrument,
  );
  const drawn = await session.run({ ...inputs, noise });
  rooms.giveBack(room);
  return drawn;
}

/** What opens a runner: `openMonteCarlo` bound to an opener, or one that owns a worker thread. */
export type MonteCarloOpener = (
  bytes: Uint8Array,
  shape: MonteCarloShape,
) => Promise<MonteCarloRunner>;

/** Runners in this thread, which share the room for noise. `bytes` must be verified ones. */
export function openMonteCarlo(openSession: SessionOpener): MonteCarloOpener {
  const rooms = new NoiseRoom();
  return async (bytes, shape) => {
    const session = await openSession(bytes);
    return {
      sample: (request) => drawSamples(session, shape, request, rooms),
      release: () => session.release(),
    };
  };
}

/** What the samples of one window say about one horizon. */
export interface SampleSummary {
  /** Population SD of the samples, learnt units. */
  readonly sd: number;
  /** Share of samples in the direction class of the forecast. */
  readonly shareInClass: number;
  /** Share of samples that say "up", however little. */
  readonly shareUp: number;
  /** The seed's formula on the scaled label: clamp(1 - SD / |mean|, 0.1, 0.9); 0.5 where the mean is 0. */
  readonly relativeStd: number;
}

function meanAndSd(values: readonly number[]): { mean: number; sd: number } {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const squares = values.reduce((sum, v) => sum + (v - mean) ** 2, 0);
  return { mean, sd: Math.sqrt(squares / values.length) };
}

/**
 * Summaries by horizon of row-major [samples x horizons] against the forecast [horizons], all in learnt
 * units. Throws `predict.non-finite` when a sample is not finite.
 */
export function summariseSamples(
  samples: Float64Array,
  forecast: Float64Array,
  label: RegressionLabel,
  labelScaler: ScalerState,
): SampleSummary[] {
  const horizons = forecast.length;
  return Array.from(forecast, (value, k) => {
    const column = Array.from({ length: samples.length / horizons }, (_, s) => {
      return samples[s * horizons + k]!;
    });
    if (!column.every(Number.isFinite)) {
      throw new RatchetError('predict.non-finite', 'a Monte-Carlo sample is not a finite number');
    }
    const [offset, factor] = [labelScaler.offset[k]!, labelScaler.factor[k]!];
    const { mean, sd } = meanAndSd(column);
    const scaledMean = Math.abs((mean - offset) * factor);
    const relative = scaledMean === 0 ? 0.5 : 1 - (sd * factor) / scaledMean;
    const answer = directionOf(label.returnFrom(value));
    const changes = column.map((sample) => label.returnFrom(sample));
    const share = (is: (change: number) => boolean) => changes.filter(is).length / changes.length;
    return {
      sd,
      shareInClass: share((change) => directionOf(change) === answer),
      shareUp: share((change) => change > 0),
      relativeStd: clamp(relative, 0.1, 0.9),
    };
  });
}
