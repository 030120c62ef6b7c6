import { foldModel, type BacktestSpec } from './backtest-spec.ts';
import { expandUnits, modelOfUnit } from './fit-units.ts';

/** Models that a backtest asks, or trains: by name, those of a template one an instrument. */
export function askedModels(spec: BacktestSpec): readonly string[] {
  const { data } = spec;
  const template = templateOf(spec);
  if (template === undefined) return [];
  const fit = template.includes('{instrument}') ? ('perInstrument' as const) : ('pooled' as const);
  return expandUnits({ model: template, fit, data }).map((unit) => unit.model);
}

/** The one of them that answers for an instrument; undefined: none is asked. */
export function askedModel(spec: BacktestSpec, instrument: string): string | undefined {
  const template = templateOf(spec);
  return template === undefined ? undefined : modelOfUnit(template, [instrument]);
}

function templateOf(spec: BacktestSpec): string | undefined {
  const { model } = spec;
  if (model === undefined || 'name' in model) return model?.name;
  return foldModel(spec, model.walkForward.experiment['fit'] === 'pooled');
}
