import { buildCombinedGraph, type Combiner } from '../../onnx/combined.ts';
import type {
  ExportContext,
  FitSummary,
  FittedModel,
  ModelImplementation,
  Samples,
} from '../model.ts';
import { CorruptBytesError, decodeSections, encodeSections, sectionOrThrow } from '../sections.ts';
import type { RegisteredVersion } from '../registered.ts';
import { restoreRegistered } from './registered-member.ts';
import { combine, type OutputShape } from './combiner.ts';

const KIND = 'ensemble-model';
const VERSION = 1;

export interface FittedMember {
  readonly family: string;
  readonly model: FittedModel;
  /** Where it was not fitted with the ensemble. */
  readonly registered?: RegisteredVersion;
}

/** All that a fitted ensemble is, apart from its summary. */
export interface EnsembleState extends OutputShape {
  readonly members: readonly FittedMember[];
  readonly combiner: Combiner;
}

type Meta = OutputShape & {
  readonly families: readonly string[];
  /** Places of members that are registered versions; absent: none is. */
  readonly registered?: readonly number[];
  readonly combiner: Combiner;
  readonly summary: FitSummary;
};

/** Several fitted models that answer as one; owns them. */
export class FittedEnsemble implements FittedModel {
  readonly summary: FitSummary;
  readonly #state: EnsembleState;

  constructor(state: EnsembleState, summary: FitSummary) {
    this.summary = summary;
    this.#state = state;
  }

  async predict(samples: Samples): Promise<Float64Array> {
    const answers: Float64Array[] = [];
    for (const { model } of this.#state.members) answers.push(await model.predict(samples));
    return combine(this.#state.combiner, answers, this.#state);
  }

  save(): Uint8Array {
    const { members, combiner, horizons, classes } = this.#state;
    const families = members.map(({ family }) => family);
    const registered = [...members.keys()].filter((i) => members[i]!.registered);
    const meta: Meta = {
      families,
      ...(registered.length > 0 && { registered }),
      combiner,
      horizons,
      classes,
      summary: this.summary,
    };
    const saved = members.map(({ model }, i) => [`member${i}`, model.save()] as const);
    const sections = Object.fromEntries(saved);
    return encodeSections({ kind: KIND, version: VERSION, meta, sections });
  }

  export(ctx: ExportContext): { readonly model: Uint8Array } {
    const own = { ...ctx, multiplyByClose: false };
    const graphs = this.#state.members.map(({ model }) => model.export(own).model);
    return { model: buildCombinedGraph(graphs, this.#state.combiner, ctx) };
  }

  dispose(): void {
    for (const { model } of this.#state.members) model.dispose();
  }
}

/** What `save` gave; throws `bytes.corrupt`. */
export async function restoreEnsemble(
  bytes: Uint8Array,
  families: ReadonlyMap<string, ModelImplementation<unknown>>,
): Promise<FittedEnsemble> {
  const file = decodeSections(bytes, KIND, VERSION);
  const { summary, families: names, registered = [], ...meta } = file.meta as Meta;
  const members: FittedMember[] = [];
  try {
    for (const [i, family] of names.entries()) {
      const saved = sectionOrThrow(file, `member${i}`, Uint8Array);
      if (registered.includes(i)) {
        const model = await restoreRegistered(saved, families);
        members.push({ family, model, registered: model.version });
        continue;
      }
      const implementation = families.get(family);
      if (!implementation) throw new CorruptBytesError(KIND, `a member of the family ${family}`);
      members.push({ family, model: await implementation.restore(saved) });
    }
    return new FittedEnsemble({ ...meta, members }, summary);
  } catch (error) {
    for (const { model } of members) model.dispose();
    throw error;
  }
}
