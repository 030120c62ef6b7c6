import { createHash } from 'node:crypto';
import { RatchetError } from '../../errors.ts';
import {
  type FitContext,
  type FitSummary,
  type FittedModel,
  type ModelImplementation,
  type Samples,
  twinLacks,
  unlikeParent,
} from '../model.ts';
import { classWeightsOf } from '../network/head.ts';
import { assertUsable, scaleLabels } from '../scaled.ts';
import { boost, type HorizonRows, type Rounds } from './boost.ts';
import { taskOf, type TreeEngine, type TreeRows } from './engine.ts';
import {
  contributionsOf,
  decodeTrees,
  FittedTrees,
  lastRows,
  loadBoosters,
  type TreeState,
} from './fitted.ts';
import type { BoostParams } from './params.ts';

interface Parts {
  readonly train: Samples;
  readonly valid?: Samples;
}

/** Labels as boosters learn them, row-major [samples x horizons]: class indices stay what they are. */
const targetsOf = (samples: Samples, { scalers }: FitContext): Float64Array =>
  samples.classes > 0 ? samples.labels : scaleLabels(samples, scalers.labels);

/** The rows of each horizon; weights of classes come from the training rows alone. */
function rowsByHorizon({ train, valid }: Parts, params: BoostParams, ctx: FitContext) {
  const { classes, horizons } = train;
  const weights =
    classes > 0
      ? classWeightsOf(params.classWeights, train.labels, horizons.length, classes)
      : undefined;
  const partOf = (samples: Samples): ((k: number) => TreeRows) => {
    const x = lastRows(samples);
    const targets = targetsOf(samples, ctx);
    return (k) => {
      const y = samples.endRow.length;
      const column = Float64Array.from({ length: y }, (_, i) => targets[i * horizons.length + k]!);
      const byClass = params.classWeights === 'none' ? undefined : weights?.[k];
      return {
        x,
        columns: samples.featureCount,
        y: column,
        weights: byClass && column.map((label) => byClass[label]!),
      };
    };
  };
  const [trainOf, validOf] = [partOf(train), valid && partOf(valid)];
  return horizons.map((_, k): HorizonRows => ({
    train: trainOf(k),
    ...(validOf ? { valid: validOf(k) } : {}),
  }));
}

function digestOf(texts: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(text);
  return hash.digest('hex');
}

function importanceOf<P>(engine: TreeEngine<P>, { texts, columns }: TreeState) {
  const boosters = loadBoosters(engine, texts);
  try {
    return boosters.map((booster) => booster.importance(columns));
  } finally {
    for (const booster of boosters) booster.dispose();
  }
}

/** The boosters of the parent, one a horizon; the targets must be scaled as theirs were. */
function parentOf<P>(engine: TreeEngine<P>, { train }: Parts, ctx: FitContext) {
  if (ctx.parent === undefined) return undefined;
  const { state } = decodeTrees(ctx.parent, engine.name);
  const { task, columns, labelScaler, texts } = state;
  const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
  if (columns !== train.featureCount) throw unlikeParent('features');
  if (!same(task, taskOf(train.classes)) || texts.length !== train.horizons.length) {
    throw unlikeParent('labels');
  }
  if (!same(labelScaler, ctx.scalers.labels)) throw unlikeParent('label scalers');
  return texts;
}

async function train<P extends BoostParams>(
  engine: TreeEngine<P>,
  params: P,
  parts: Parts,
  rounds: Rounds,
  ctx: FitContext,
): Promise<{ readonly state: TreeState; readonly summary: FitSummary }> {
  assertUsable(parts.train, 'train', 'last-row');
  if (parts.valid) assertUsable(parts.valid, 'valid', 'last-row');
  const task = taskOf(parts.train.classes);
  const horizons = rowsByHorizon(parts, params, ctx);
  const boosted = await boost(
    engine,
    { params, task, horizons, rounds, after: parentOf(engine, parts, ctx) },
    ctx,
  );
  const { featureCount: columns } = parts.train;
  const { texts } = boosted;
  const state = { task, columns, labelScaler: ctx.scalers.labels, texts };
  return {
    state,
    summary: {
      epochsRun: boosted.history.length,
      bestEpoch: Math.max(...boosted.rounds),
      bestValidLoss: boosted.bestValidLoss ?? NaN,
      weightsDigest: digestOf(texts),
      history: boosted.history,
      chosen: { rounds: boosted.rounds },
      importance: importanceOf(engine, state),
    },
  };
}

/** The family contract over a library of boosted trees. */
export function treeFamily<P extends BoostParams>(engine: TreeEngine<P>): ModelImplementation<P> {
  return {
    async fit(params, trainRows, valid, ctx): Promise<FittedModel> {
      const rounds = { patience: params.earlyStopping.patience };
      const parts = { train: trainRows, valid };
      const { state, summary } = await train(engine, params, parts, rounds, ctx);
      return new FittedTrees(engine, state, summary);
    },
    async refit(params, twin, trainRows, ctx): Promise<FittedModel> {
      const chosen = twin.chosen?.['rounds'] ?? [];
      if (chosen.length !== trainRows.horizons.length) throw twinLacks('rounds for each horizon');
      const { state, summary } = await train(engine, params, { train: trainRows }, { chosen }, ctx);
      return new FittedTrees(engine, state, { ...summary, bestValidLoss: twin.bestValidLoss });
    },
    async restore(bytes): Promise<FittedModel> {
      const { state, summary } = decodeTrees(bytes, engine.name);
      if (!summary) throw new RatchetError('bytes.corrupt', 'a native file, not a saved model');
      return new FittedTrees(engine, state, summary);
    },
    async contributions(nativeFile, windows) {
      const { state } = decodeTrees(nativeFile, engine.name);
      const boosters = loadBoosters(engine, state.texts);
      try {
        return contributionsOf(state, boosters, lastRows(windows));
      } finally {
        for (const booster of boosters) booster.dispose();
      }
    },
    libraries: () => engine.libraries(),
  };
}
