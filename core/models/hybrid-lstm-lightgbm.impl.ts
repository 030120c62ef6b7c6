import { createHash } from 'node:crypto';
import { buildFeatureGraph } from '../onnx/networks.ts';
import { buildHybridGraph } from '../onnx/trees/hybrid.ts';
import type { HybridParams } from './hybrid-lstm-lightgbm.ts';
import { treeSamplesOf } from './hybrid/extract.impl.ts';
import { stagesOf, summaryOf, twinsOf } from './hybrid/stages.ts';
import { implementation as trees } from './lightgbm.impl.ts';
import { implementation as network } from './lstm-classifier.impl.ts';
import { readClassifier } from './lstm/classifier.ts';
import type {
  ExportContext,
  FitContext,
  FitSummary,
  FittedModel,
  ModelImplementation,
  Samples,
  Windows,
} from './model.ts';
import { assertUsable } from './scaled.ts';
import { decodeSections, encodeSections, sectionOrThrow } from './sections.ts';
import { decodeTrees } from './trees/fitted.ts';
import { lightGbmEngine } from './trees/lightgbm-engine.impl.ts';

const KIND = 'hybrid-model';
const NATIVE_KIND = 'hybrid-native';
const VERSION = 1;

/** The graph whose answers the trees are trained on; feature names are of no matter to it. */
function extractorOf(saved: Uint8Array): Uint8Array {
  const { state, weights } = readClassifier(saved);
  const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `x${i}`);
  const ctx: ExportContext = {
    featureNames: names(state.inputs),
    lookback: state.lookback,
    horizons: Array.from({ length: state.horizons }, (_, k) => k + 1),
    classes: state.classes,
    scalers: state.scalers,
    multiplyByClose: false,
  };
  return buildFeatureGraph(weights, ctx);
}

interface Parts {
  /** `save()` of the network. */
  readonly network: Uint8Array;
  readonly extractor: Uint8Array;
  readonly trees: FittedModel;
  readonly summary: FitSummary;
}

class FittedHybrid implements FittedModel {
  readonly summary: FitSummary;
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.summary = parts.summary;
    this.#parts = parts;
  }

  async predict(samples: Samples): Promise<Float64Array> {
    const { extractor, trees: decide } = this.#parts;
    return decide.predict(await treeSamplesOf(extractor, samples, 'predicted'));
  }

  save(): Uint8Array {
    return encodeSections({
      kind: KIND,
      version: VERSION,
      meta: { summary: this.summary },
      sections: { network: this.#parts.network, trees: this.#parts.trees.save() },
    });
  }

  export(ctx: ExportContext): { readonly model: Uint8Array } {
    const { state } = decodeTrees(this.#parts.trees.nativeFile!(), lightGbmEngine.name);
    const ensembles = state.texts.map((text) => lightGbmEngine.read(text));
    return { model: buildHybridGraph(readClassifier(this.#parts.network).weights, ensembles, ctx) };
  }

  nativeFile(): Uint8Array {
    const { extractor, trees: decide } = this.#parts;
    const sections = { extractor, trees: decide.nativeFile!() };
    return encodeSections({ kind: NATIVE_KIND, version: VERSION, meta: {}, sections });
  }

  dispose(): void {
    this.#parts.trees.dispose();
  }
}

const digestOf = (...digests: readonly string[]): string =>
  createHash('sha256').update(digests.join('\n')).digest('hex');

/** What the second stage reads, by what the first has left behind. */
async function secondStage(
  first: FittedModel,
  decide: (extractor: Uint8Array) => Promise<FittedModel>,
  twin?: FitSummary,
): Promise<FittedModel> {
  const saved = first.save();
  const seen = first.summary;
  // Frees TensorFlow's memory before the trees take theirs.
  first.dispose();
  const extractor = extractorOf(saved);
  const second = await decide(extractor);
  const weightsDigest = digestOf(seen.weightsDigest, second.summary.weightsDigest);
  const summary = summaryOf({ network: seen, trees: second.summary, weightsDigest, twin });
  return new FittedHybrid({ network: saved, extractor, trees: second, summary });
}

async function fit(
  params: HybridParams,
  train: Samples,
  valid: Samples,
  ctx: FitContext,
): Promise<FittedModel> {
  assertUsable(train, 'train', 'window');
  assertUsable(valid, 'valid', 'window');
  const stages = stagesOf(ctx);
  const first = await network.fit(params.lstm, train, valid, stages.network);
  const { epochsRun } = first.summary;
  return secondStage(first, async (extractor) => {
    const seen = (samples: Samples, part: string) =>
      treeSamplesOf(extractor, samples, part, ctx.signal);
    const rows = [await seen(train, 'train'), await seen(valid, 'valid')] as const;
    return trees.fit(params.trees, ...rows, stages.trees(epochsRun));
  });
}

async function refit(
  params: HybridParams,
  twin: FitSummary,
  train: Samples,
  ctx: FitContext,
): Promise<FittedModel> {
  assertUsable(train, 'train', 'window');
  const twins = twinsOf(twin);
  const stages = stagesOf(ctx);
  const first = await network.refit(params.lstm, twins.network, train, stages.network);
  const { epochsRun } = first.summary;
  const decide = async (extractor: Uint8Array): Promise<FittedModel> => {
    const rows = await treeSamplesOf(extractor, train, 'train', ctx.signal);
    return trees.refit(params.trees, twins.trees, rows, stages.trees(epochsRun));
  };
  return secondStage(first, decide, twin);
}

export const implementation: ModelImplementation<HybridParams> = {
  fit,
  refit,
  async restore(bytes) {
    const file = decodeSections(bytes, KIND, VERSION);
    const { summary } = file.meta as { summary: FitSummary };
    const saved = sectionOrThrow(file, 'network', Uint8Array);
    return new FittedHybrid({
      network: saved,
      extractor: extractorOf(saved),
      trees: await trees.restore(sectionOrThrow(file, 'trees', Uint8Array)),
      summary,
    });
  },
  async contributions(nativeFile, windows: Windows) {
    const file = decodeSections(nativeFile, NATIVE_KIND, VERSION);
    const extractor = sectionOrThrow(file, 'extractor', Uint8Array);
    const labels = { labels: new Float64Array(0), horizons: [], classes: 0 };
    const seen = await treeSamplesOf(extractor, { ...windows, ...labels }, 'explained');
    const said = await trees.contributions!(sectionOrThrow(file, 'trees', Uint8Array), seen);
    return { ...said, learned: seen.featureCount - windows.featureCount };
  },
  libraries: (params) => ({
    ...network.libraries?.(params.lstm),
    ...trees.libraries?.(params.trees),
  }),
};
