import { applyScaler } from '../../scaling/index.ts';
import { scaleByInstrument } from '../../onnx/instrument-scaling.ts';
import { newestOfWindow } from '../../onnx/newest-of-window.ts';
import type {
  ExportContext,
  FitSummary,
  FittedModel,
  ModelImplementation,
  Samples,
} from '../model.ts';
import type { RegisteredParts, RegisteredVersion } from '../registered.ts';
import { CorruptBytesError, decodeSections, encodeSections, sectionOrThrow } from '../sections.ts';

const KIND = 'registered-member';
const VERSION = 1;

type Scalers = ExportContext['scalers'];

/**
 * A registered version as a member: it answers for windows of the ensemble, which may be longer than its own, in its own
 * scalers, with the bits that its own package gives for the same rows (as trained: not as made smaller). Owns the model.
 */
export class RegisteredMember implements FittedModel {
  readonly summary: FitSummary;
  readonly #of: RegisteredParts;
  readonly #model: FittedModel;
  /** Of one instrument of a pool, which the model itself is shown scaled. */
  readonly #scalers: Scalers | undefined;

  private constructor(of: RegisteredParts, model: FittedModel) {
    // Its epochs are told where it was fitted.
    this.summary = { ...model.summary, history: [] };
    this.#of = of;
    this.#model = model;
    this.#scalers =
      of.instrument === undefined ? undefined : of.context.instrumentScalers?.[of.instrument];
  }

  /** Throws what the family's `restore` throws. */
  static async open(
    of: RegisteredParts,
    implementation: Pick<ModelImplementation<unknown>, 'restore'>,
  ): Promise<RegisteredMember> {
    return new RegisteredMember(of, await implementation.restore(of.weights));
  }

  get version(): RegisteredVersion {
    const { model, version } = this.#of;
    return { model, version };
  }

  async predict(samples: Samples): Promise<Float64Array> {
    const scalers = this.#scalers;
    const { lookback, classes, horizons } = this.#of.context;
    const own = { ...samples, lookback };
    if (scalers === undefined) return this.#model.predict(own);
    const { values: features } = applyScaler(scalers.features, samples.features);
    const said = await this.#model.predict({ ...own, features });
    if (classes > 0) return said;
    const { offset, factor } = scalers.labels;
    const h = horizons.length;
    return said.map((value, at) => value / factor[at % h]! + offset[at % h]!);
  }

  save(): Uint8Array {
    const { weights, ...meta } = this.#of;
    return encodeSections({ kind: KIND, version: VERSION, meta, sections: { weights } });
  }

  export(ctx: ExportContext): { readonly model: Uint8Array } {
    const { context, instrument } = this.#of;
    const { model: own } = this.#model.export({ ...context, multiplyByClose: false });
    const { model } = this.#scalers
      ? scaleByInstrument(
          { model: own },
          {
            scalers: [this.#scalers],
            instruments: [instrument!],
            scaledLabels: context.classes === 0,
            multiplyByClose: false,
          },
        )
      : { model: own };
    return { model: newestOfWindow(model, context.lookback, ctx) };
  }

  dispose(): void {
    this.#model.dispose();
  }
}

/** What `save` gave; throws `bytes.corrupt`. */
export function restoreRegistered(
  bytes: Uint8Array,
  families: ReadonlyMap<string, ModelImplementation<unknown>>,
): Promise<RegisteredMember> {
  const file = decodeSections(bytes, KIND, VERSION);
  const meta = file.meta as Omit<RegisteredParts, 'weights'>;
  const implementation = families.get(meta.family);
  if (!implementation) throw new CorruptBytesError(KIND, `a version of the family ${meta.family}`);
  const weights = sectionOrThrow(file, 'weights', Uint8Array);
  return RegisteredMember.open({ ...meta, weights }, implementation);
}
