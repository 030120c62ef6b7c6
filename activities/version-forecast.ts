import { isDeepStrictEqual } from 'node:util';
import type { Bars } from '../core/bars/bars.ts';
import { fillMissing, type MissingRules } from '../core/bars/index.ts';
import { calendarFor } from '../core/calendar/index.ts';
import { RatchetError } from '../core/errors.ts';
import type { ChampionForecast } from '../core/evaluation/index.ts';
import { buildFeatures, packagedFeatureSet } from '../core/features/index.ts';
import { outputsOf, type Prepared } from '../core/features/prepared.ts';
import { labelKindOrThrow, labelOutputs, type LabelKind } from '../core/labels/index.ts';
import { openSession } from '../core/onnx/session.impl.ts';
import type { Manifest } from '../core/packages/manifest.ts';
import { embargoAhead, firstNewTime, type SplitSpec } from '../core/splits/index.ts';
import type { VerifiedPackage } from '../core/packages/verify.ts';
import { loadPackage } from '../registry/packages.ts';
import { getVersionOrThrow } from '../registry/versions.ts';
import type { ActivityDeps } from './deps.ts';
import { forecastRows, type WindowSource } from './forecast-rows.ts';

interface ForecastRequest {
  readonly deps: Pick<ActivityDeps, 'db' | 'artifacts' | 'trustedKeys'>;
  /** Its test rows are what answers are wanted for; of a comparison they are the challenger's. */
  readonly prepared: Prepared;
  /** What `prepared` does about missing bars. */
  readonly missing: MissingRules;
  /** What `prepared` is parted by: its embargo counts for the version too. */
  readonly split: SplitSpec;
  /** Recorded bars of an instrument, for a version that reads other features; undefined: there are none. */
  readonly barsOf: (instrument: string) => Promise<Bars | undefined>;
  readonly model: string;
  readonly version: number;
  readonly heartbeat: () => void;
}

/**
 * What a registered version says on test rows, in the rows' label units and horizons. Rows or
 * horizons it cannot answer are NaN, so that they are not compared. Where it uses other features they are
 * built from the same bars; without bars, or where the feature set is gone, no row has an answer.
 */
export async function forecastOfVersion(request: ForecastRequest): Promise<ChampionForecast> {
  const { deps, prepared, model, version } = request;
  const pkg = await packageOf(deps, model, version);
  const { manifest } = pkg;
  const { test } = prepared.split;
  const width = outputsOf({ labelKind: manifest.label.kind, horizons: manifest.label.horizons });
  const answers = new Float64Array(test.length * width).fill(NaN);
  const session = await openSession(pkg.model);
  try {
    for (const { source, rows, at } of await sourcesOf(request, manifest, pkg.preprocessing)) {
      const found = await forecastRows(session, source, rows, {
        lookback: manifest.lookback,
        outputs: width,
        onChunk: request.heartbeat,
      });
      at.forEach((to, i) => answers.set(found.subarray(i * width, (i + 1) * width), to * width));
    }
  } finally {
    await session.release();
  }
  const trainedThrough = Date.parse(manifest.trainedThrough);
  return {
    version,
    trainedThrough,
    newFrom: firstNewTime(prepared.openTime, trainedThrough, embargoAhead(request.split)),
    predictions: inUnitsOf(prepared, manifest, answers),
  };
}

/** Rows to forecast: windows end at `rows` of `source`, answers belong to the test rows `at`. */
interface Part {
  readonly source: WindowSource;
  readonly rows: Int32Array;
  readonly at: readonly number[];
}

async function sourcesOf(
  { prepared, missing, barsOf, heartbeat }: ForecastRequest,
  manifest: Manifest,
  rules: MissingRules,
): Promise<Part[]> {
  const { test } = prepared.split;
  // Its own order of instruments is what its graph goes by; of one that it does not know it says nothing.
  const position = (id: string): number => manifest.instruments.indexOf(id);
  // Filled by other rules, the same bars give other features than the champion gets when it serves.
  if (manifest.featureHash === prepared.featureHash && sameRules(rules, missing)) {
    const instruments = prepared.instruments.map((own) => ({ ...own, position: position(own.id) }));
    const source = { ...prepared, instruments, featureCount: prepared.featureNames.length };
    return [{ source, rows: test, at: [...test.keys()] }];
  }
  const set = packagedFeatureSet(manifest);
  if (set === undefined) return [];
  const calendar = calendarFor(prepared.calendar);
  const parts: Part[] = [];
  for (const { id, from, to } of prepared.instruments) {
    const recorded = await barsOf(id);
    if (!recorded) continue;
    const bars = fillMissing(recorded, calendar, rules, set.warmupBars);
    const matrix = buildFeatures(set, bars, calendar);
    heartbeat();
    const rowAt = new Map(Array.from(matrix.openTime, (time, row) => [time, row]));
    const at = [...test.keys()].filter((i) => test[i]! >= from && test[i]! < to);
    parts.push({
      source: {
        features: matrix.values,
        featureCount: matrix.names.length,
        close: bars.close,
        instruments: [{ from: 0, to: matrix.rows, position: position(id) }],
      },
      // -1: no such bar, so no full window and no answer.
      rows: Int32Array.from(at, (i) => rowAt.get(prepared.openTime[test[i]!]!) ?? -1),
      at,
    });
  }
  return parts;
}

const sameRules = (a: MissingRules, b: MissingRules): boolean =>
  a.missing === b.missing &&
  a.missingHead === b.missingHead &&
  isDeepStrictEqual(a.missingBy ?? {}, b.missingBy ?? {});

/** Its package, verified from the signature inwards as serving does it, before native code reads the graph. */
async function packageOf(
  deps: ForecastRequest['deps'],
  model: string,
  version: number,
): Promise<VerifiedPackage> {
  const { package_digest: packageDigest } = await getVersionOrThrow(deps.db, model, version);
  if (packageDigest === null) {
    throw new RatchetError('evaluate.package', `version ${version} of ${model} has no package`);
  }
  return loadPackage(deps, { model, version, packageDigest }, deps.trustedKeys);
}

/**
 * From the version's label kind and horizons to those of the rows; what it lacks is NaN. Classes can be told from no
 * quantity, nor from classes by other thresholds.
 */
function inUnitsOf(prepared: Prepared, manifest: Manifest, answers: Float64Array): Float64Array {
  const from = labelKindOrThrow(manifest.label.kind);
  const to = labelKindOrThrow(prepared.labelKind);
  const outputs = labelOutputs(to);
  const columns = prepared.horizons.map((h) => manifest.label.horizons.indexOf(h));
  const rows = prepared.split.test.length;
  const out = new Float64Array(rows * columns.length * outputs).fill(NaN);
  const convert = converter(from, to, isSameLabel(prepared, manifest));
  if (convert === undefined) return out;
  const theirs = manifest.label.horizons.length * outputs;
  for (let row = 0; row < rows; row++) {
    columns.forEach((column, k) => {
      if (column < 0) return;
      for (let of = 0; of < outputs; of++) {
        const answer = answers[row * theirs + column * outputs + of]!;
        out[(row * columns.length + k) * outputs + of] = convert(answer);
      }
    });
  }
  return out;
}

const isSameLabel = (prepared: Prepared, { label }: Manifest): boolean =>
  label.kind === prepared.labelKind && isDeepStrictEqual(label.params ?? {}, prepared.labelParams);

/** What makes one label's value another's; undefined where nothing does. */
function converter(
  from: LabelKind,
  to: LabelKind,
  same: boolean,
): ((value: number) => number) | undefined {
  if (same) return (value) => value;
  if (from.task === 'classification' || to.task === 'classification') return undefined;
  // As a move of a price of 1: what every kind of quantity can be made of.
  return (value) => to.value(1, from.priceFrom(value, 1));
}
