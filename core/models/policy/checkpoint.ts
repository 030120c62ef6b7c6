import type { EpochEvent } from '../model.ts';
import type { Progress } from '../network/progress.ts';
import { CorruptBytesError, decodeSections, encodeSections, sectionOrThrow } from '../sections.ts';
import type { Theta } from './network.ts';

/** Everything that decides how a training goes on: from it the rest follows bit for bit. */
export interface PolicyTraining {
  readonly theta: Theta;
  readonly m: Float64Array;
  readonly v: Float64Array;
  /** Steps of Adam done. */
  readonly step: number;
  /** Epoch to go on in, from 1, and pieces done of it; their order and all draws follow from both. */
  readonly epoch: number;
  readonly batch: number;
  /** Log change of equity of this epoch's pieces, by horizon. */
  readonly growth: Float64Array;
  readonly secondsInEpoch: number;
  readonly best: { readonly epoch: number; readonly theta: Theta } | undefined;
  readonly progress: Progress;
  readonly history: readonly EpochEvent[];
  readonly finished: boolean;
}

const KIND = 'policy-checkpoint';
const VERSION = 1;

type Meta = Omit<PolicyTraining, 'theta' | 'm' | 'v' | 'growth' | 'best'> & {
  /** What the fit was asked; bytes of another fit are refused. */
  readonly fingerprint: string;
  readonly bestEpoch: number | null;
};

export function encodeTraining(training: PolicyTraining, fingerprint: string): Uint8Array {
  const { theta, m, v, growth, best, ...rest } = training;
  const meta: Meta = { ...rest, fingerprint, bestEpoch: best?.epoch ?? null };
  return encodeSections({
    kind: KIND,
    version: VERSION,
    meta,
    sections: { theta, m, v, growth, ...(best && { best: best.theta }) },
  });
}

/** Throws `bytes.corrupt` for damaged bytes and for a checkpoint of another fit. */
export function decodeTraining(bytes: Uint8Array, fingerprint: string): PolicyTraining {
  const file = decodeSections(bytes, KIND, VERSION);
  const { fingerprint: of, bestEpoch, ...rest } = file.meta as Meta;
  if (of !== fingerprint) throw new CorruptBytesError(KIND, 'of another fit');
  const f64 = (name: string): Float64Array => sectionOrThrow(file, name, Float64Array);
  return {
    ...rest,
    ...{ theta: f64('theta'), m: f64('m'), v: f64('v'), growth: f64('growth') },
    best: bestEpoch === null ? undefined : { epoch: bestEpoch, theta: f64('best') },
  };
}
