import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import {
  COMPARED_MAX,
  comparisonVerdict,
  differencesOf,
  originOf,
  renderComparison,
  type ComparedBacktest,
  type Difference,
  type Differences,
} from '../../core/backtest/report/index.ts';
import { backtestResultSchema } from '../../core/backtest/result.ts';
import { backtestFile, BACKTESTS, figuresTable, makeFolder } from './backtest-figures.ts';
import { askedBacktest } from './named-backtest.ts';
import { openClient, type ApiClient } from './http.ts';
import { segment } from './options.ts';
import { CliError, EXIT, type CliContext } from './output.ts';

interface Stored extends ComparedBacktest {
  readonly id: string;
  readonly backtest: string;
  readonly strategy: string;
}

/**
 * Backtests side by side, the first being what the others are compared with: each `ID`, by its first strategy, or
 * `ID/STRATEGY`. The page is made here of what is stored, so a comparison costs the server nothing but the reading.
 */
export async function compareBacktests(
  ctx: CliContext,
  asked: readonly string[],
  folder: string | undefined,
): Promise<void> {
  if (asked.length > COMPARED_MAX) {
    const words = `backtests: ${COMPARED_MAX} stand side by side at most, not ${asked.length}`;
    throw new CliError(EXIT.usage, words);
  }
  if (new Set(asked).size < asked.length) {
    throw new CliError(EXIT.usage, 'backtests: each can stand in a comparison only once');
  }
  const client = await openClient(ctx);
  const found: Stored[] = [];
  for (const one of asked) {
    ctx.out.progress(`reading ${one}`, 'compare');
    found.push(await stored(client, one));
  }
  ctx.out.endProgress();
  const all = named(found);
  const verdict = comparisonVerdict(all);
  const written: string[] = [];
  if (folder !== undefined) {
    const path = join(resolve(folder), 'comparison.html');
    await makeFolder(resolve(folder));
    await writeFile(path, renderComparison('Backtests side by side', all));
    written.push(path);
  }
  const items = all.map(({ id, backtest, strategy, result: { metrics, finalEquity } }) => ({
    ...{ id, name: backtest, strategy, metrics, finalEquity },
  }));
  const differences = differencesOf(all);
  ctx.out.data({ verdict, items, differences, ...(folder !== undefined && { written }) });
  if (ctx.json) return;
  ctx.out.line(verdict);
  const rows = all.map(({ name, result: { metrics, trades } }) => ({
    ...{ strategy: name, metrics },
    trades: trades.filter(({ open }) => !open).length,
  }));
  figuresTable(ctx, rows, 'backtest');
  tellDifferences(ctx, all, differences);
  for (const path of written) ctx.out.line(path);
}

function tellDifferences(
  ctx: CliContext,
  all: readonly Stored[],
  { differing, unrecorded }: Differences,
): void {
  ctx.out.line();
  if (differing.length === 0) {
    const what = unrecorded.length === 0 ? 'rules and settings' : 'rules';
    ctx.out.line(`They do not differ in ${what}.`);
  } else {
    ctx.out.table(differing, [
      { title: 'they differ in', value: ({ name }) => name },
      ...all.map(({ name }, i) => ({
        title: name,
        value: ({ values }: Difference) => values[i]!,
      })),
    ]);
  }
  if (unrecorded.length > 0) {
    ctx.out.line(`Settings of strategies are not recorded of ${unrecorded.join(', ')}.`);
  }
}

/** Throws `CliError`: it has not completed, or had no such strategy. */
async function stored(client: ApiClient, asked: string): Promise<Stored> {
  const { id, strategy: wanted } = await askedBacktest(client, asked);
  const row = await client.json('GET', `${BACKTESTS}/${segment(id)}`);
  const backtest = String(row['name']);
  if (row['status'] !== 'completed') {
    const words = `backtest ${id} is ${String(row['status'])}: only a completed one can be compared`;
    throw new CliError(EXIT.failed, words);
  }
  const strategies = (row['results'] as { strategy: string }[]).map((one) => one.strategy);
  const strategy = wanted ?? strategies[0] ?? '';
  if (!strategies.includes(strategy)) {
    const words = `backtest ${id} has no strategy ${strategy}; it has ${strategies.join(', ')}`;
    throw new CliError(EXIT.usage, words);
  }
  const read = async (name: string): Promise<string> =>
    new TextDecoder().decode(await backtestFile(client, id, name));
  const result = backtestResultSchema.parse(JSON.parse(await read(`result-${strategy}.json`)));
  // Backtests of before origins were stored have none.
  const has = (row['files'] as string[]).includes('origin.json');
  const origin = has ? originOf(await read('origin.json')) : {};
  return { ...{ id, backtest, strategy, result, origin }, name: `${backtest} ${strategy}` };
}

/** Two runs of the same spec are told apart by the end of their ids. */
function named(all: readonly Stored[]): readonly Stored[] {
  return all.map((one) => {
    const twins = all.filter(({ name }) => name === one.name).length;
    return twins > 1 ? { ...one, name: `${one.name} …${one.id.slice(-4)}` } : one;
  });
}
