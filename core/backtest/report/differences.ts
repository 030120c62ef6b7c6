/** What backtests differ in that is no result: instruments, costs, rules, and the settings of their strategies. */
import type { BacktestOrigin, NamedResult } from './input.ts';
import { termEntries } from './rule-words.ts';
import { wholeSettings } from './settings.ts';

/** A stored backtest. */
export interface ComparedBacktest extends NamedResult {
  readonly origin?: BacktestOrigin;
  /** By which its settings are found in `origin`; default: `name`. */
  readonly strategy?: string;
}

/** A rule or setting that is not the same in all. */
export interface Difference {
  readonly name: string;
  /** One a backtest, in their order; `-`: it has no such setting. */
  readonly values: readonly string[];
}

export interface Differences {
  /** Settings first. */
  readonly differing: readonly Difference[];
  /** Names of what is the same in all. */
  readonly same: readonly string[];
  /** Names of backtests of before settings were recorded: these are compared by their rules alone. */
  readonly unrecorded: readonly string[];
}

const NOT_RECORDED = 'not recorded';

export function differencesOf(all: readonly ComparedBacktest[]): Differences {
  const settings = all.map(({ name, strategy = name, origin = {} }) => {
    const entries = wholeSettings(origin, strategy);
    return entries && new Map(entries.map(([path, value]) => [`Strategy: ${path}`, value]));
  });
  const terms = all.map(({ result }) => new Map(termEntries(result)));
  const found = [
    ...namesOf(settings).map((name) => ({
      name,
      values: settings.map((of) => (of === undefined ? NOT_RECORDED : (of.get(name) ?? '-'))),
    })),
    ...namesOf(terms).map((name) => ({ name, values: terms.map((of) => of.get(name)!) })),
  ];
  const differs = ({ values }: Difference): boolean =>
    new Set(values.filter((value) => value !== NOT_RECORDED)).size > 1;
  return {
    differing: found.filter(differs),
    same: found.flatMap((one) => (differs(one) ? [] : [one.name])),
    unrecorded: all.flatMap(({ name }, i) => (settings[i] === undefined ? [name] : [])),
  };
}

/** Names that any of them has, in the order of first mention. */
const namesOf = (all: readonly (ReadonlyMap<string, string> | undefined)[]): readonly string[] => [
  ...new Set(all.flatMap((of) => [...(of?.keys() ?? [])])),
];
