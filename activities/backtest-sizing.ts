import {
  ruleSizer,
  sizerOf,
  TallySizer,
  type BacktestAdvice,
  type ExchangeRecord,
  type Sizer,
  type StrategyAdvice,
} from '../core/advice/index.ts';
import type { SimulatedStrategy } from '../core/backtest/index.ts';
import type { AdviceOrigin } from '../core/backtest/report/index.ts';
import type { BacktestSpec } from '../core/spec/index.ts';
import { adviceOf, type AdviceUse } from '../core/strategies/index.ts';

/** Who says the sizes of a backtest's strategies, and how often each did. */
export class Sizing {
  readonly #uses: ReadonlyMap<string, AdviceUse>;
  readonly #tallies = new Map<string, TallySizer[]>();
  readonly #advice: BacktestAdvice;
  readonly sizers: Readonly<Record<string, (instrument: string) => Sizer>>;

  /** `period`: what is counted, open times in ms UTC. */
  constructor(
    { strategies }: BacktestSpec,
    period: { readonly from: number; readonly to: number },
    advice: BacktestAdvice,
  ) {
    this.#advice = advice;
    this.#uses = new Map(
      Object.entries(strategies).flatMap(([name, spec]) => {
        const use = adviceOf(spec);
        return use ? [[name, use] as const] : [];
      }),
    );
    this.sizers = Object.fromEntries(
      [...this.#uses.keys()].map((name) => {
        const own = advice.strategies[name];
        const inner = own ? sizerOf(own) : (): Sizer => ruleSizer;
        const tallies: TallySizer[] = [];
        this.#tallies.set(name, tallies);
        const sizer = (instrument: string): Sizer => {
          const tally = new TallySizer(inner(instrument), period);
          tallies.push(tally);
          return tally;
        };
        return [name, sizer] as const;
      }),
    );
  }

  /** For the report, once all was simulated. */
  origins(results: readonly SimulatedStrategy[]): readonly AdviceOrigin[] {
    return results.flatMap(({ name, twins }): AdviceOrigin[] => {
      const use = this.#uses.get(name);
      if (use === undefined || twins === undefined) return [];
      const byReason: Record<string, number> = {};
      let decisions = 0;
      for (const { tally } of this.#tallies.get(name)!) {
        decisions += tally.decisions;
        for (const [reason, count] of Object.entries(tally.byReason)) {
          byReason[reason] = (byReason[reason] ?? 0) + count;
        }
      }
      return [
        {
          ...{ strategy: name, by: use.by, ...twins, decisions, byReason },
          ...askedOf(this.#advice.strategies[name]),
        },
      ];
    });
  }
}

function askedOf(advice: StrategyAdvice | undefined): Pick<AdviceOrigin, 'late' | 'asked'> {
  if (advice === undefined) return {};
  if (advice.by === 'history') return { late: advice.late };
  const all = Object.values(advice.answers);
  const outcomes = (role: ExchangeRecord['role']): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const { role: of, outcome } of all.flat()) {
      if (of === role) counts[outcome] = (counts[outcome] ?? 0) + 1;
    }
    return counts;
  };
  return {
    asked: {
      ...{ questions: all.length, names: advice.names, tolerancePoints: advice.tolerancePoints },
      ...{ advisor: outcomes('advisor'), checker: outcomes('checker') },
    },
  };
}
