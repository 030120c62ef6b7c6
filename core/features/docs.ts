import { z } from 'zod';
import { ANCHOR_BARS, type Indicator, indicators } from '../indicators/index.ts';
import { COLUMN_MEMORY_BARS_MAX, COLUMNS_MAX } from './declared.ts';
import type { FeatureColumn, FeatureSet } from './feature-set.ts';

/** Markdown of docs/features.md: every set with its columns, as the catalogue has them. */
export function renderFeatureDocs(sets: Iterable<FeatureSet>): string {
  return `${[INTRODUCTION, ...[...sets].map(describe), DECLARED, catalogueTable()].join('\n\n')}\n`;
}

const INTRODUCTION = `# Features

Written from the catalogue by \`node --import tsx infra/write-docs.ts\`; do not edit.

Notation: o, h, l, c, v are open, high, low, close and volume of a bar; x[-k] is the value k bars before;
mean, SD, sum, max and min run over the last \`period\` bars. A value in brackets is the neutral value
where a denominator is 0. Log returns are r = ln c - ln c[-1].

**Warm-up**: rows without a value at the start of an instrument's history. **Memory**: bars after which
older ones move the value by at most 1e-5 SD. A windowed feature reads exactly its window. A recursive
one (EMA, Wilder) starts at an *anchor*: the value at bar t begins at the anchor at or before
t - memory, anchors lying every ${ANCHOR_BARS} bars of the calendar's session count (the first recorded bar
counts as one too). So each value is a function of the bars alone, the same bit for bit in training,
serving and backtests, from whatever bar a history was loaded.

Indicators follow TA-Lib (RSI 14 starts with the mean of 14 changes, an EMA with the SMA of its first n
values) and agree with it within 1e-9, with these differences: values are divided by 100 where TA-Lib
has percentages (unless the unit is percent), flat windows give the neutral value instead of 0, and CMO is
made of plain sums.

Sets with levels (prices, averages of them, volumes) come in two units with the same names and order:
\`relative\` (the default: \`features: crypto-46\`, or \`{ set: crypto-46, levels: relative }\`) divides levels of
the price by the close and volumes by their mean of 250 bars, so that a model does not depend on the price
it was trained at; \`raw\` (\`{ set: crypto-46, levels: raw }\`) takes them as they are. In relative units
\`close\` is 1 throughout, and kept for the order. Name and hash of a set say its units; a package is served
with the very set it was trained on or refused.`;

function describe(set: FeatureSet): string {
  const families = new Map<string, FeatureColumn[]>();
  for (const column of set.columns) {
    const found = families.get(column.family);
    if (found) found.push(column);
    else families.set(column.family, [column]);
  }
  return [
    `## ${set.name}`,
    set.docs,
    `${set.columns.length} columns in ${families.size} families, warm-up ${set.warmupBars} bars, memory ` +
      `${set.memoryBars} bars.\nHash \`${set.hash}\`.`,
    ...[...families].map(([name, columns]) => familyTable(name, columns)),
  ].join('\n\n');
}

function familyTable(name: string, columns: readonly FeatureColumn[]): string {
  const rows = columns.map(({ name: column, use }) => {
    const params = Object.entries(use.params).map(([key, value]) => `${key} ${String(value)}`);
    const cells = [
      `\`${column}\``,
      escaped(use.docs),
      params.join(', '),
      String(use.warmupBars),
      `${use.memoryBars}${use.recursive ? ', recursive' : ''}`,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    `### ${name} (${columns.length})`,
    '',
    '| column | definition | parameters | warm-up | memory |',
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

const escaped = (text: string): string => text.replaceAll('|', '\\|');

const DECLARED = `## Sets of your own

A spec may list columns instead of naming a set, each an indicator with its parameters:

\`\`\`yaml
features:
  - { indicator: rsi, period: 14 }
  - { indicator: logReturn, bars: 1, lags: [0, 1, 2, 24] }        # one column a lag
  - { indicator: ema, period: 50, overClose: true }               # a level of the price / c
  - { indicator: logReturn, rolling: { statistic: zScore, period: 30 } }
  - { indicator: priceRatio, of: high, over: close, name: reach } # a name of your own
  - { set: daily-22, levels: relative }                           # all columns of a set
  - { indicator: exogenous, column: vix.close, period: 5 }        # of a source with role: exogenous
\`\`\`

\`rolling\` takes mean, sd (ddof 1), min, max or zScore ((x - mean) / sd [0]) of the last values; it reads what
\`overClose\` made, and \`lags\` read what it made. Names are made of indicator, parameters and these
(\`rsi_14\`, \`log_return_1_lag_24\`). At most ${COLUMNS_MAX} columns, lags counted, each reaching at most
${COLUMN_MEMORY_BARS_MAX} bars back. The package carries the declaration, and serving refuses it where the code computes
another hash.

Indicators and their parameters:`;

/** The indicators that a spec may name. */
function catalogueTable(): string {
  const rows = [...indicators.values()].map((indicator) => {
    const cells = [
      `\`${indicator.name}\``,
      escaped(indicator.docs),
      escaped(parametersOf(indicator)),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return ['| indicator | definition | parameters |', '|---|---|---|', ...rows].join('\n');
}

/** What JSON Schema says of one parameter, as far as it is printed. */
const parameterSchema = z.object({
  enum: z.array(z.unknown()).optional(),
  const: z.unknown().optional(),
  type: z.string().optional(),
  minimum: z.number().optional(),
  default: z.unknown().optional(),
});

function parametersOf({ params }: Indicator): string {
  const schema = z.toJSONSchema(params, { io: 'input' });
  return Object.entries(schema.properties ?? {})
    .map(([name, node]) => {
      const one = parameterSchema.parse(node);
      const values = one.enum ?? (one.const === undefined ? undefined : [one.const]);
      const least = one.minimum === undefined ? (one.type ?? 'any') : `from ${one.minimum}`;
      const range = values ? values.map(String).join(' or ') : least;
      return `${name}: ${range}${one.default === undefined ? '' : ` (${String(one.default)})`}`;
    })
    .join(', ');
}
