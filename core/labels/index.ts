import { z } from 'zod';
import type { Bars } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { RatchetError } from '../errors.ts';
import type { LabelMatrix } from '../features/matrix.ts';
import { binaryForwardReturn } from './binary-forward-return.ts';
import { buildLabels as build } from './build.ts';
import { forwardLogReturn } from './forward-log-return.ts';
import { forwardPrice } from './forward-price.ts';
import { forwardReturn } from './forward-return.ts';
import type { ClassLabel, LabelKind, RegressionLabel } from './label.ts';
import { threeClass } from './three-class.ts';
import { tripleBarrier } from './triple-barrier.ts';

export {
  labelClasses,
  labelOutputs,
  multipliesByClose,
  type ClassLabel,
  type LabelKind,
  type RegressionLabel,
} from './label.ts';

/** All label kinds, the default first. A new one: a file in this folder and a line here. */
export const labelKinds: readonly [LabelKind, ...LabelKind[]] = [
  forwardLogReturn,
  forwardReturn,
  forwardPrice,
  threeClass,
  binaryForwardReturn,
  tripleBarrier,
];

/** Looks a label kind up; throws `labels.unknown` with the names that exist. */
export function labelKindOrThrow(name: string): LabelKind {
  const found = labelKinds.find((kind) => kind.name === name);
  if (found === undefined) {
    const known = labelKinds.map((kind) => kind.name);
    throw new RatchetError(
      'labels.unknown',
      `no label kind is named "${name}"; there are ${known.join(', ')}`,
      { details: { name, known } },
    );
  }
  return found;
}

/** The kind where a quantity is meant; throws `labels.task` for one that has classes. */
export function regressionLabelOrThrow(name: string): RegressionLabel {
  const kind = labelKindOrThrow(name);
  if (kind.task === 'regression') return kind;
  throw new RatchetError('labels.task', `${name} is a label of classes, not of a quantity`);
}

/** The kind where classes are meant; throws `labels.task` for a quantity. */
export function classLabelOrThrow(name: string): ClassLabel {
  const kind = labelKindOrThrow(name);
  if (kind.task === 'classification') return kind;
  throw new RatchetError('labels.task', `${name} is a label of a quantity, not of classes`);
}

/** Which label over which horizons, in bars, increasing; the kind's own settings stand beside. */
export interface LabelSpec {
  readonly kind: string;
  readonly horizons: readonly number[];
  readonly [param: string]: unknown;
}

/** The settings of a label beside its kind and horizons, defaults filled in. */
export function labelParamsOf(label: LabelSpec): Record<string, unknown> {
  const { kind, horizons: _, ...params } = label;
  return labelKindOrThrow(kind).params.parse(params);
}

/** Labels of every bar; see `build.ts`. */
export function buildLabels(label: LabelSpec, bars: Bars, calendar: Calendar): LabelMatrix {
  const kind = labelKindOrThrow(label.kind);
  const plan = { kind, horizons: label.horizons, params: labelParamsOf(label) };
  return build(plan, bars, calendar);
}

const horizons = z
  .array(z.int().min(1).max(250))
  .min(1)
  .max(8)
  .refine((hs) => hs.every((h, i) => i === 0 || h > hs[i - 1]!), 'horizons must increase')
  .describe('Bars after the last bar of the window, increasing.');

const DEFAULT_HORIZONS = { regression: [7, 14, 30], classification: [4] } as const;

/** One alternative a kind; a label that names none is of the first. */
const alternatives = labelKinds.map((kind, i) => {
  const name = z.literal(kind.name).describe(kind.docs);
  return kind.params.extend({
    kind: i === 0 ? name.optional().transform((given) => given ?? kind.name) : name,
    horizons: horizons.default([...DEFAULT_HORIZONS[kind.task]]),
  });
});

/** `label` of a spec, from the catalogue. */
export const labelSchema = z.discriminatedUnion(
  'kind',
  alternatives as [(typeof alternatives)[number], ...typeof alternatives],
) as unknown as z.ZodType<
  LabelSpec & { readonly horizons: number[] },
  { kind?: string; horizons?: readonly number[]; readonly [param: string]: unknown }
>;
