import { mkdir } from 'node:fs/promises';
import type { ApiClient } from './http.ts';
import { segment } from './options.ts';
import { CliError, EXIT, type CliContext } from './output.ts';

export const BACKTESTS = '/api/v1/backtests';

/** What a strategy earned, as the API says it. */
export interface StrategyRow {
  readonly strategy: string;
  readonly metrics: Readonly<Record<string, number | null>>;
  readonly trades: number;
}

/** A row a strategy; `title` heads their names. */
export function figuresTable(
  ctx: CliContext,
  results: readonly StrategyRow[],
  title = 'strategy',
): void {
  const figure =
    (name: string, show_: (value: number) => string) =>
    ({ metrics }: StrategyRow): string => {
      const value = metrics[name];
      return typeof value === 'number' ? show_(value) : '-';
    };
  const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
  const plain = (value: number): string => value.toFixed(2);
  const column = (heading: string, value: (row: StrategyRow) => string) => ({
    ...{ title: heading, value },
    align: 'right' as const,
  });
  ctx.out.line();
  ctx.out.table(results, [
    { title, value: (row) => row.strategy },
    column('total', figure('totalReturn', percent)),
    column('a year', figure('annualReturn', percent)),
    column('volatility', figure('volatility', percent)),
    column('Sharpe', figure('sharpe', plain)),
    column('deflated', figure('deflatedSharpe', plain)),
    column('drawdown', figure('maxDrawdown', percent)),
    column('turnover', figure('turnover', plain)),
    column('trades', (row) => String(row.trades)),
  ]);
}

/** The bytes of one of the files that a backtest left. */
export async function backtestFile(
  client: ApiClient,
  id: string,
  name: string,
): Promise<Uint8Array> {
  const path = `${BACKTESTS}/${segment(id)}/files/${segment(name)}`;
  return new Uint8Array(await (await client.send('GET', path)).arrayBuffer());
}

export async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CliError(EXIT.usage, `${folder} cannot be made: ${reason}`, { cause });
  });
}
