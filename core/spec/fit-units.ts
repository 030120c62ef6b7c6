import type { ExperimentSpec } from './spec.ts';

/** One unit of training: one model, of one instrument or of the pool of all. */
export interface FitUnit {
  readonly model: string;
  readonly instruments: readonly string[];
}

const PLACEHOLDER = '{instrument}';

/** An instrument as part of a model's name: `^GSPC` is `gspc`, `KRW-BTC` is `krw-btc`, `BRK.B` is `brk.b`. */
export function instrumentSlug(instrument: string): string {
  return instrument
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .replace(/[-._]+$/, '');
}

/** A model's name for one unit: `{instrument}` stands for its first. */
export const modelOfUnit = (template: string, [first = '']: readonly string[]): string =>
  template.replaceAll(PLACEHOLDER, instrumentSlug(first));

/** The models a spec trains, in the order of its instruments. */
export function expandUnits(spec: Pick<ExperimentSpec, 'model' | 'fit' | 'data'>): FitUnit[] {
  const ids = spec.data.instruments.map((instrument) => instrument.id);
  if (spec.fit === 'pooled') return [{ model: spec.model, instruments: ids }];
  return ids.map((id) => ({
    model: modelOfUnit(spec.model, [id]),
    instruments: [id],
  }));
}
