import { buildTreeGraph } from '../../onnx/trees/graph.ts';
import { RatchetError } from '../../errors.ts';
import type { ScalerState } from '../../scaling/scaler.ts';
import type {
  Contributions,
  ExportContext,
  FitSummary,
  FittedModel,
  Samples,
  Windows,
} from '../model.ts';
import { assertWindowsFinite, unscaleLabels } from '../scaled.ts';
import { CorruptBytesError, decodeSections, encodeSections, sectionOrThrow } from '../sections.ts';
import {
  answersOf,
  scoresOf,
  type LoadedBooster,
  type TreeEngine,
  type TreeTask,
} from './engine.ts';
import { answersFrom } from './loss.ts';

const KIND = 'tree-model';
const VERSION = 1;

/** What a fitted model of trees is, apart from its summary. */
export interface TreeState {
  readonly task: TreeTask;
  readonly columns: number;
  readonly labelScaler: ScalerState;
  /** The library's text of each horizon's booster. */
  readonly texts: readonly Uint8Array[];
}

type Meta = Omit<TreeState, 'texts'> & {
  readonly engine: string;
  readonly horizons: number;
  readonly summary: FitSummary | null;
};

/** The newest row of each window as it is, row-major [samples x features]. */
export function lastRows({ features, featureCount, endRow }: Windows): Float64Array {
  const out = new Float64Array(endRow.length * featureCount);
  endRow.forEach((row, i) => {
    const from = row * featureCount;
    out.set(features.subarray(from, from + featureCount), i * featureCount);
  });
  return out;
}

function encodeTrees(engine: string, state: TreeState, summary: FitSummary | null): Uint8Array {
  const { texts, ...rest } = state;
  const meta: Meta = { ...rest, engine, horizons: texts.length, summary };
  const sections = Object.fromEntries(texts.map((text, k) => [`booster${k}`, text]));
  return encodeSections({ kind: KIND, version: VERSION, meta, sections });
}

/**
 * State and summary out of saved bytes; the summary is null in a native file. Nothing of them reaches a library's parser
 * before their digest was checked. Throws `bytes.corrupt`, also for the trees of another engine.
 */
export function decodeTrees(
  bytes: Uint8Array,
  engine: string,
): { readonly state: TreeState; readonly summary: FitSummary | null } {
  const file = decodeSections(bytes, KIND, VERSION);
  const { task, columns, labelScaler, horizons, summary, ...meta } = file.meta as Meta;
  if (meta.engine !== engine) throw new CorruptBytesError(KIND, `trees of ${meta.engine}`);
  const texts = Array.from({ length: horizons }, (_, k) =>
    sectionOrThrow(file, `booster${k}`, Uint8Array),
  );
  return { state: { task, columns, labelScaler, texts }, summary };
}

/** Loads all boosters, or none. */
export function loadBoosters(
  engine: TreeEngine<never>,
  texts: readonly Uint8Array[],
): LoadedBooster[] {
  const boosters: LoadedBooster[] = [];
  try {
    for (const text of texts) boosters.push(engine.load(text));
    return boosters;
  } catch (error) {
    for (const booster of boosters) booster.dispose();
    throw error;
  }
}

/** Boosted trees of any engine, one booster a horizon, on the newest row of the window. */
export class FittedTrees implements FittedModel {
  readonly summary: FitSummary;
  readonly #engine: TreeEngine<never>;
  readonly #state: TreeState;
  readonly #boosters: readonly LoadedBooster[];

  constructor(engine: TreeEngine<never>, state: TreeState, summary: FitSummary) {
    this.summary = summary;
    this.#engine = engine;
    this.#state = state;
    this.#boosters = loadBoosters(engine, state.texts);
  }

  async predict(samples: Samples): Promise<Float64Array> {
    const { task, columns, labelScaler } = this.#state;
    if (samples.featureCount !== columns) {
      throw new RatchetError(
        'model.shape-mismatch',
        `the model reads ${columns} features, not ${samples.featureCount}`,
      );
    }
    assertWindowsFinite(samples, 'predicted', 1);
    const x = lastRows(samples);
    const width = answersOf(task);
    const horizons = this.#boosters.length;
    const out = new Float64Array(samples.endRow.length * horizons * width);
    this.#boosters.forEach((booster, k) => {
      const answers = answersFrom(task, booster.raw(x, columns));
      for (let row = 0; row < samples.endRow.length; row++) {
        const answer = answers.subarray(row * width, (row + 1) * width);
        out.set(answer, (row * horizons + k) * width);
      }
    });
    return task.kind === 'regression' ? unscaleLabels(out, labelScaler) : out;
  }

  save(): Uint8Array {
    return encodeTrees(this.#engine.name, this.#state, this.summary);
  }

  export(ctx: ExportContext): { readonly model: Uint8Array } {
    const ensembles = this.#state.texts.map((text) => this.#engine.read(text));
    return { model: buildTreeGraph(ensembles, ctx) };
  }

  nativeFile(): Uint8Array {
    return encodeTrees(this.#engine.name, this.#state, null);
  }

  dispose(): void {
    for (const booster of this.#boosters) booster.dispose();
  }
}

/** TreeSHAP of raw scores in the units of the answers; see `Contributions`. */
export function contributionsOf(
  state: TreeState,
  boosters: readonly LoadedBooster[],
  rows: Float64Array,
): Contributions {
  const { task, columns, labelScaler } = state;
  const horizons = boosters.length;
  const [scores, outputs, width] = [scoresOf(task), answersOf(task), columns + 1];
  const count = rows.length / columns;
  if (!Number.isInteger(count)) {
    throw new RatchetError('model.shape-mismatch', `rows are not of ${columns} features`);
  }
  const values = new Float64Array(count * horizons * outputs * width);
  boosters.forEach((booster, k) => {
    const given = booster.contributions(rows, columns);
    const [factor, offset] = [labelScaler.factor[k]!, labelScaler.offset[k]!];
    for (let row = 0; row < count; row++) {
      for (let output = 0; output < outputs; output++) {
        const from = (row * scores + (scores === 1 ? 0 : output)) * width;
        const to = ((row * horizons + k) * outputs + output) * width;
        // The log-odds of the first of two classes are those of the second, the other way round.
        const scale =
          task.kind === 'regression' ? 1 / factor : outputs > scores && output === 0 ? -1 : 1;
        for (let c = 0; c < width; c++) values[to + c] = given[from + c]! * scale;
        if (task.kind === 'regression') values[to + columns]! += offset;
      }
    }
  });
  return {
    values,
    learned: 0,
    horizons,
    outputs,
    unit: task.kind === 'regression' ? 'label' : 'logit',
  };
}
