import { RatchetError } from '../errors.ts';
import { bordersOf, retrainsAsItIs } from '../splits/index.ts';
import type { ExperimentSpec } from './spec.ts';

export interface SplitSizes {
  readonly train: number;
  readonly valid: number;
  readonly test: number;
}

/** What is trained again, and when. */
export interface RetrainRequest {
  /** Registered model; one of those that the template makes. */
  readonly model: string;
  /** The instruments it answers for. */
  readonly instruments: readonly string[];
  /** Decision times by part of the version that was evaluated last; they count where no split of retrains is declared. */
  readonly samples: SplitSizes;
  /** ISO instant of market time: nothing later is read. */
  readonly asOf: string;
}

type Split = ExperimentSpec['split'];

/** The least that the schema takes; an evaluated version has at least 30 of each. */
const MIN_TRAIN_BARS = 100;

/**
 * The spec of a retrain: the template narrowed to one of its models, on the newest bars that were known at `asOf`. The
 * split is `retrain.split`, else the template's own if it is `recent`, else recent with the sizes of the evaluated
 * version; refit is `retrain.refit`. It trains whether or not a fitting version exists. Pure; the result passes
 * `parseSpec` where the template does and `asOf` lies after its first bar.
 * Throws `retrain.instrument` where the template lacks an instrument.
 */
export function retrainSpec(template: ExperimentSpec, request: RetrainRequest): ExperimentSpec {
  const { model, asOf } = request;
  // An end of the data is an end of the template's first experiment: a retrain is there for what came after it.
  const { to: _to, ...data } = template.data;
  return {
    ...template,
    model,
    data: { ...data, instruments: instrumentsOf(template, request.instruments), asOf },
    split: splitOf(template, request.samples),
    refit: template.retrain.refit,
    forceRetrain: true,
  };
}

/** Do the retrains of this template take over the sizes of the evaluated version? Else `samples` is not looked at. */
export const takesOverSizes = ({ retrain, split }: ExperimentSpec): boolean =>
  retrain.split === undefined && !retrainsAsItIs(split);

function instrumentsOf(
  { data, model }: ExperimentSpec,
  ids: readonly string[],
): ExperimentSpec['data']['instruments'] {
  return ids.map((id) => {
    const own = data.instruments.find((instrument) => instrument.id === id);
    if (own === undefined) {
      throw new RatchetError(
        'retrain.instrument',
        `the template ${model} has no instrument ${id}: set a template that has it (model update)`,
        { details: { template: model, instrument: id } },
      );
    }
    const { missing } = own;
    const from = 'from' in own ? own.from : undefined;
    return { id, ...(from !== undefined && { from }), ...(missing && { missing }) };
  });
}

function splitOf({ retrain, split }: ExperimentSpec, samples: RetrainRequest['samples']): Split {
  if (retrain.split !== undefined) return retrain.split;
  if (retrainsAsItIs(split)) return split;
  return {
    kind: 'recent',
    trainBars: Math.max(MIN_TRAIN_BARS, samples.train),
    validBars: samples.valid,
    testBars: samples.test,
    ...bordersOf(split),
  };
}
