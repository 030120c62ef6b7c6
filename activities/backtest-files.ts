import { Context } from '@temporalio/activity';
import type { Bars } from '../core/bars/bars.ts';
import { hashBars } from '../core/bars/hash.ts';
import type { AnswerColumns, SimulatedStrategy } from '../core/backtest/index.ts';
import {
  backtestPlots,
  backtestText,
  equityCsv,
  modelAnswersOf,
  originText,
  renderBacktest,
  settingsOf,
  tradesCsv,
  verdictOf,
  type AdviceOrigin,
  NOBODY,
  type BacktestOrigin,
  type BacktestReportInput,
} from '../core/backtest/report/index.ts';
import { askedModel, modelOfUnit, type BacktestSpec } from '../core/spec/index.ts';
import type { Backtest } from '../registry/backtests.ts';
import type { StoredFile } from '../registry/tables.ts';
import { getVersion, versionsOfExperiment } from '../registry/versions.ts';
import type { SimulateInput } from './contracts-backtest.ts';
import type { ActivityDeps } from './deps.ts';
import { renderPng } from './evaluation-plots.ts';

/** What a report is made of. */
export interface BacktestFacts {
  readonly row: Backtest;
  readonly spec: BacktestSpec;
  readonly folds: SimulateInput['folds'];
  readonly bars: readonly Bars[];
  readonly answers: ReadonlyMap<string, AnswerColumns>;
  readonly results: readonly SimulatedStrategy[];
  readonly advice: readonly AdviceOrigin[];
  /** The gravest first. */
  readonly warnings: readonly string[];
}

/** The verdict, and the files that a backtest leaves: report (and what a terminal shows of it), origin, charts, and by strategy trades, curve and all figures. */
export async function backtestFiles(
  deps: ActivityDeps,
  facts: BacktestFacts,
): Promise<{ readonly verdict: string; readonly files: readonly StoredFile[] }> {
  const input = await reportInput(deps, facts);
  const files: StoredFile[] = [];
  const put = async (name: string, bytes: Uint8Array): Promise<void> => {
    files.push({ name, uri: (await deps.artifacts.put(bytes)).uri });
    Context.current().heartbeat();
  };
  const text = new TextEncoder();
  const plots = backtestPlots(input);
  await put('report.html', text.encode(renderBacktest(input, plots)));
  await put('report.txt', text.encode(`${backtestText(input).join('\n')}\n`));
  await put('origin.json', text.encode(originText(input.origin)));
  for (const { name, svg } of plots) await put(`${name}.png`, await renderPng(svg));
  for (const { name, result } of facts.results) {
    await put(`trades-${name}.csv`, text.encode(tradesCsv(result)));
    await put(`equity-${name}.csv`, text.encode(equityCsv(result)));
    await put(`result-${name}.json`, text.encode(JSON.stringify(result)));
  }
  return { verdict: verdictOf(input).text, files };
}

async function reportInput(deps: ActivityDeps, facts: BacktestFacts): Promise<BacktestReportInput> {
  const { row, spec, bars, answers, results, warnings } = facts;
  const [strategy, ...beside] = results;
  const through = await trainedThrough(deps, facts);
  return {
    name: spec.name,
    strategy: strategy!,
    beside,
    closes: bars
      .filter(({ instrument }) =>
        strategy!.result.instruments.some((one) => one.instrument === instrument),
      )
      .map(({ instrument, openTime, close }) => ({ instrument, time: openTime, close })),
    origin: {
      models: modelAnswersOf(
        answers,
        (version, instrument) => (version === 0 ? NOBODY : nameOf(spec, version, instrument)),
        (version, instrument) => through.get(`${instrument}/${version}`),
        (instrument) => askedModel(spec, instrument),
      ),
      ...insteadOfNobody(spec),
      data: bars.map((one) => ({ instrument: one.instrument, hash: hashBars(one) })),
      ...(facts.advice.length > 0 && { advice: facts.advice }),
      ...(warnings.length > 0 && { warnings }),
      settings: settingsOf(spec, results),
      codeVersion: deps.codeVersion,
      specHash: row.spec_hash,
    },
  };
}

/** What a spec could ask of a registered model where nobody served. */
function insteadOfNobody({ model }: BacktestSpec): Pick<BacktestOrigin, 'insteadOfNobody'> {
  if (model === undefined || !('name' in model) || typeof model.version === 'number') return {};
  const words =
    model.version === 'then'
      ? 'nobody served then; `version: champion`, or the number of a version, asks one all through the period'
      : 'there was no champion; the number of a version asks that one';
  return { insteadOfNobody: words };
}

/** A version as people call it; of a walk forward the number alone, for its models stand for nothing else. */
function nameOf({ model }: BacktestSpec, version: number, instrument: string): string {
  if (model === undefined || !('name' in model)) return `${version}`;
  return `${modelOfUnit(model.name, [instrument])} ${version}`;
}

/** By instrument and version, how far each that answered was trained, ms UTC. */
async function trainedThrough(
  { db }: ActivityDeps,
  { spec, folds, answers }: BacktestFacts,
): Promise<ReadonlyMap<string, number>> {
  const through = new Map<string, number>();
  const note = (instrument: string, version: number, time: Date | null): void => {
    if (time !== null) through.set(`${instrument}/${version}`, time.getTime());
  };
  for (const { experimentId } of folds) {
    if (experimentId === undefined) continue;
    for (const one of await versionsOfExperiment(db, experimentId)) {
      for (const id of one.instruments) note(id, one.version, one.trained_through);
    }
  }
  if (spec.model === undefined || !('name' in spec.model)) return through;
  for (const [instrument, { version }] of answers) {
    const model = modelOfUnit(spec.model.name, [instrument]);
    for (const number of new Set(version)) {
      const found = number === 0 ? undefined : await getVersion(db, model, number);
      if (found) note(instrument, number, found.trained_through);
    }
  }
  return through;
}
