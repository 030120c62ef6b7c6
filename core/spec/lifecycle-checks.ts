import { labelKindOrThrow } from '../labels/index.ts';
import { modelFamilies } from '../models/index.ts';
import { adviceOf } from '../strategies/index.ts';
import type { SpecIssue } from './spec-error.ts';
import type { ExperimentSpec } from './spec.ts';

/** Rules between the fields that say how a version lives: its moment, its retrains, its answers. */
export function checkLifecycle(spec: ExperimentSpec): SpecIssue[] {
  return [
    ...checkAsOf(spec),
    ...checkRetrain(spec),
    ...checkAbstention(spec),
    ...checkStrategy(spec),
  ];
}

/** Nobody is asked for a size while a signal waits. */
function checkStrategy({ serving: { strategy } }: ExperimentSpec): SpecIssue[] {
  const by = (strategy && adviceOf(strategy)?.by) ?? 'rule';
  if (by === 'rule') return [];
  return [
    {
      path: 'serving.strategy.by',
      message: `${by} is for backtests: signals take sizes by the rule`,
      suggestion: 'Leave it out, and ask for advice on the signal (`ratchet advise`)',
    },
  ];
}

/** Nothing is complete before the first bar opens. */
function checkAsOf({ data }: ExperimentSpec): SpecIssue[] {
  const { asOf } = data;
  if (asOf === undefined) return [];
  const begins = [
    data.from,
    ...data.instruments.map((own) => ('from' in own ? own.from : undefined)),
  ].filter((from) => from !== undefined);
  const latest = begins.toSorted().at(-1);
  if (latest === undefined || Date.parse(asOf) > Date.parse(latest)) return [];
  return [
    {
      path: 'data.asOf',
      message: `${asOf} does not lie after \`from\`, ${latest}: no bar would be complete`,
      suggestion: 'Take a later asOf, or an earlier from',
    },
  ];
}

/** A cadence that the cooldown always holds back is not the cadence that was asked for. */
function checkRetrain({ retrain }: ExperimentSpec): SpecIssue[] {
  const { every, cooldown } = retrain;
  if (every === undefined || every >= cooldown) return [];
  return [
    {
      path: 'retrain.every',
      message: `${every} is shorter than retrain.cooldown, ${cooldown}, which would hold it back`,
      suggestion: `Write \`cooldown: ${every}\` or less, or a longer \`every\``,
    },
  ];
}

function checkAbstention({
  serving,
  confidence,
  family: name,
  label,
}: ExperimentSpec): SpecIssue[] {
  const { abstain, minConfidence } = serving;
  if (minConfidence === undefined) return [];
  const path = 'serving.minConfidence';
  if (!abstain) {
    const message = 'nothing abstains, so no answer is held against it';
    return [{ path, message, suggestion: 'Write `abstain: true`, or leave it out' }];
  }
  const family = modelFamilies.find((f) => f.name === name);
  const classes = labelKindOrThrow(label.kind).task === 'classification';
  const sure = classes || family === undefined || family.traits.monteCarlo;
  if (confidence.method !== 'none' && sure) return [];
  return [
    {
      path,
      message: 'the answers of this spec have no confidence',
      suggestion: 'Use a confidence.method and a family with dropout, or leave it out',
    },
  ];
}
