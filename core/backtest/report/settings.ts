/** Settings of strategies and portfolios: what was asked for, with every default filled in. */
import { adviceOf } from '../../strategies/index.ts';
import type { PortfolioOf, SimulatedStrategy, Simulation } from '../simulate.ts';
import type { BacktestOrigin, Settings } from './input.ts';

interface Asked extends Pick<Simulation, 'strategies'> {
  readonly portfolios?: Readonly<Record<string, PortfolioOf>> | undefined;
}

/** Settings of every result by its name, those of what stands beside an advised strategy among them. */
export function settingsOf(
  { strategies, portfolios = {} }: Asked,
  results: readonly SimulatedStrategy[],
): Readonly<Record<string, Settings>> {
  const twins = results.flatMap(({ name, twins: own }): [string, Settings][] => {
    const spec = strategies[name];
    const of = spec && adviceOf(spec)?.of;
    if (own === undefined || of === undefined) return [];
    return [
      [own.fixed, { ...of }],
      [own.mean, { ...of, meanSize: own.meanSize }],
    ];
  });
  return Object.fromEntries([
    ...Object.entries(strategies).map(([name, spec]) => [name, { ...spec }] as const),
    ...twins,
    ...Object.entries(portfolios).map(([name, spec]) => [name, { ...spec }] as const),
  ]);
}

/**
 * Each setting of a result by its path (`exitAt`, `of.period`, `members[1].kind`) with its value as a spec writes it;
 * undefined: none were recorded.
 */
export function settingEntries(
  { settings = {} }: BacktestOrigin,
  name: string,
): readonly (readonly [string, string])[] | undefined {
  return Object.hasOwn(settings, name) ? flat(settings[name]!, '') : undefined;
}

/** Those of a result and, of a portfolio, those of the strategies that share its money. */
export function wholeSettings(
  origin: BacktestOrigin,
  name: string,
): readonly (readonly [string, string])[] | undefined {
  const own = settingEntries(origin, name);
  const of = origin.settings?.[name]?.['of'];
  if (own === undefined || !Array.isArray(of)) return own;
  const shared = of.flatMap((one) =>
    (settingEntries(origin, String(one)) ?? []).map(
      ([path, value]) => [`${String(one)}: ${path}`, value] as const,
    ),
  );
  return [...own, ...shared];
}

function flat(value: unknown, path: string): (readonly [string, string])[] {
  if (Array.isArray(value)) {
    return value.some((one) => typeof one === 'object')
      ? value.flatMap((one, i) => flat(one, `${path}[${i}]`))
      : [[path, value.length === 0 ? 'none' : value.map(String).join(', ')]];
  }
  if (typeof value !== 'object' || value === null) return [[path, String(value ?? 'none')]];
  // What it is comes before how it is set.
  const entries = Object.entries(value).toSorted(
    ([a], [b]) => Number(b === 'kind') - Number(a === 'kind'),
  );
  return entries.flatMap(([key, one]) => flat(one, path === '' ? key : `${path}.${key}`));
}
