import { foldModel, type BacktestSpec } from './backtest-spec.ts';
import { expandUnits } from './fit-units.ts';

/** Models that a backtest asks, or trains: by name, those of a template one an instrument. */
export function askedModels(spec: BacktestSpec): readonly string[] {
  const { model, data } = spec;
  if (model === undefined) return [];
  const pooled = 'walkForward' in model && model.walkForward.experiment['fit'] === 'pooled';
  const template = 'walkForward' in model ? foldModel(spec, pooled) : model.name;
  const fit = template.includes('{instrument}') ? ('perInstrument' as const) : ('pooled' as const);
  return expandUnits({ model: template, fit, data }).map((unit) => unit.model);
}
