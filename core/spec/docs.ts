import type { z } from 'zod';
import { featureSetOf, completeChoice, featureSetNames } from '../features/index.ts';
import { labelKinds } from '../labels/index.ts';
import { modelFamilies } from '../models/index.ts';
import type { ModelDescriptor } from '../models/model.ts';
import { splitKinds } from '../splits/index.ts';
import { policies } from '../policies/index.ts';
import { pruners, searchMethods } from '../search/index.ts';
import { spaceOf, type Dimension } from '../search/space.ts';
import { inputSchemaOf, type SchemaNode } from './json-schema.ts';
import { experimentSpecSchema } from './spec.ts';

/** The smallest useful spec; a test parses it. */
export const EXAMPLE_SPEC = `name: first
model: first-{instrument}
data:
  sources: [{ dataset: index-daily }]
  instruments: ['^GSPC', '^IXIC']
family: ridge`;

const INTRODUCTION = `# The experiment spec

Written from the schema by \`node --import tsx infra/write-docs.ts\`; do not edit.

One YAML or JSON file says all that an experiment depends on. Every field has a default except \`name\`, \`model\` and
\`data\`; unknown fields are refused with the nearest known name. Data is named, never placed: no path, URL or SQL
stands in a spec. Editors complete and check it by [spec.schema.json](spec.schema.json) (first line of the file:
\`# yaml-language-server: $schema=docs/spec.schema.json\`).

\`\`\`yaml
${EXAMPLE_SPEC}
\`\`\`

Two specs that train the same thing have the same *spec hash*, whatever they are called: it covers data, features,
label, split, refit, scaling, family with every hyperparameter filled in, seeds, baselines, confidence and serving. A
model whose newest version has that hash and fitting data is not trained again unless \`forceRetrain\` is set. The moment
of a run, \`data.asOf\`, is no part of the hash: it decides which bars are read, and those have a hash of their own.

With \`refit\` the served seed is fitted once more after its evaluation, on all samples before the test part
(\`trainValid\`) or on all there are (\`all\`), scaled by those samples, with the epochs, learning rates and penalties that
the first fit chose and nothing chosen anew. A chronological split then begins at the first sample; a recent one takes
the newest \`trainBars\`. What was evaluated is the twin, the first fit: its confidence is calibrated on its validation
part, and package, card, report and evidence say whose figures they hold. A refitted version has few untouched rows or
none, so a trial decides on it.

With \`tune\` hyperparameters are searched first: each trial is one fit, judged by the weighted loss of the validation part;
test rows are never looked at. What trial k tries depends on the results of trials up to k - \`parallel\` alone, so that neither
the number of training slots nor a crash changes the outcome (\`budgetMinutes\` does). The best trial's hyperparameters are
then fitted with all \`seeds\` like any others. For the gate a search is one try; its number of trials is reported, and
deflates the winner's validation loss, on which it was chosen. Retrains search again, on their own rows.

A split with several folds (\`walkForward\`, \`purgedKFold\`) fits every seed and baseline on each. A test row is forecast
by the fold that had not seen it, all figures are of all test parts together, and the folds stand beside with their
spread. What is served is the newest fold's fit, or its refit, and against a champion only the newest fold's rows count.
With \`serve: seedEnsemble\` the mean of all seeds is judged, packaged as one graph, and refitted seed by seed. A pooled fit
scales each instrument by itself inside the graph (\`scaling.per\`), whose input \`instrument\` says whose window it is.

A *trial* of a version judges an accepted challenger on live rows before it is promoted: in the shadow of the champion, with a share of
the traffic (canary), or by a person (manual). Days of a spec are sessions of the calendar, except those of a manual trial.`;

/** Markdown of docs/spec.md, from the schema and the catalogues. */
export function renderSpecDocs(): string {
  return [
    INTRODUCTION,
    '## Fields',
    fieldTable(inputSchemaOf(experimentSpecSchema)),
    '## Hyperparameters by family',
    ...modelFamilies.map((family) => entry(family)),
    '## Labels',
    list(labelKinds.map(({ name, docs, formula }) => `\`${name}\`: ${docs} Formula: ${formula}.`)),
    '## Splits',
    list(splitKinds.map(({ name, docs }) => `\`${name}\`: ${docs}`)),
    '## Feature sets',
    list(
      featureSetNames.map((set) => {
        const { levels } = completeChoice({ set });
        const { names, warmupBars } = featureSetOf({ set });
        const units = levels ? `, \`levels: relative\` (the default) or \`raw\`` : '';
        return `\`${set}\`: ${names.length} columns${units}, ${warmupBars} bars of warm-up (see [features](features.md)).`;
      }),
    ),
    '## Searches',
    list(searchMethods.map(({ name, docs }) => `\`${name}\`: ${docs}`)),
    '## Pruners',
    list(pruners.map(({ name, docs }) => `\`${name}\`: ${docs}`)),
    '## Searched by default',
    list(modelFamilies.map((family) => `\`${family.name}\`: ${searchedBy(family)}`)),
    '## Promotion policies',
    ...policies.map((policy) => entry(policy)),
    '',
  ].join('\n\n');
}

/** A heading, what it is, and a table of its settings. */
export function entry(of: {
  readonly name: string;
  readonly docs: string;
  readonly params: z.ZodType;
}): string {
  const schema = inputSchemaOf(of.params);
  const table = Object.keys(schema.properties ?? {}).length > 0 ? `\n\n${fieldTable(schema)}` : '';
  return `### ${of.name}\n\n${of.docs}${table}`;
}

/** Where a search looks that names no hyperparameters itself. */
function searchedBy({ params, traits }: ModelDescriptor): string {
  const { space } = spaceOf(params, undefined, traits.budget);
  if (space.length === 0) return 'nothing; name hyperparameters in `tune.space`.';
  return `${space.map(rangeOf).join('; ')}.`;
}

function rangeOf(dimension: Dimension): string {
  const { path } = dimension;
  if (dimension.kind === 'choice') {
    return `\`${path}\` of ${dimension.choices.map((value) => JSON.stringify(value)).join(', ')}`;
  }
  const { low, high, scale } = dimension;
  return `\`${path}\` from ${low} to ${high}${scale === 'log' ? ' (log)' : ''}`;
}

const list = (items: readonly string[]): string => items.map((item) => `- ${item}`).join('\n');

function fieldTable(schema: SchemaNode): string {
  const rows = fieldsOf(schema, '').map(
    ({ path, node, required }) =>
      `| \`${path}\` | ${cell(typeOf(node))} | ${required ? 'required' : defaultOf(node)} | ${cell(node.description ?? '')} |`,
  );
  return ['| field | type | default | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

interface Field {
  readonly path: string;
  readonly node: SchemaNode;
  readonly required: boolean;
}

/** Fields in order, nested ones after their parent; alternatives of a union one after the other. */
function fieldsOf(schema: SchemaNode, prefix: string): Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, node]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    const own = { path, node, required: schema.required?.includes(name) ?? false };
    const item = node.items && node.items.properties ? fieldsOf(node.items, `${path}[]`) : [];
    const tagged = (node.oneOf ?? []).flatMap((option) => {
      const kind = option.properties?.['kind']?.const;
      return fieldsOf(option, kind === undefined ? path : `${path}(${String(kind)})`).filter(
        (field) => field.node.const === undefined,
      );
    });
    return [own, ...fieldsOf(node, path), ...item, ...tagged];
  });
}

function typeOf(node: SchemaNode): string {
  // `#/$defs/strategy3`: only strategies stand inside themselves.
  if (node.$ref !== undefined) return node.$ref.replace(/^.*\/|\d+$/g, '');
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (node.enum) return node.enum.map((value) => JSON.stringify(value)).join(' or ');
  const options = node.anyOf ?? node.oneOf;
  if (options) {
    const kinds = options.map((option) => option.properties?.['kind']?.const);
    return kinds.every((kind) => kind !== undefined)
      ? `kind: ${kinds.map(String).join(' or ')}`
      : [...new Set(options.map(typeOf))].join(' or ');
  }
  if (node.type === 'array') {
    const items = node.items && typeof node.items === 'object' ? node.items : node.prefixItems?.[0];
    const size = sizeText(node.minItems, node.maxItems);
    return `list${size} of ${items ? typeOf(items) : 'values'}`;
  }
  return `${node.type ?? 'any'}${rangeText(node)}`;
}

function sizeText(least: number | undefined, most: number | undefined): string {
  if (least !== undefined && most !== undefined)
    return least === most ? ` of ${least}` : ` (${least} to ${most})`;
  return most === undefined ? '' : ` (at most ${most})`;
}

function rangeText(node: SchemaNode): string {
  const least = node.exclusiveMinimum ?? node.minimum;
  const most = node.exclusiveMaximum ?? node.maximum;
  const parts = [
    least === undefined ? '' : `${node.exclusiveMinimum === undefined ? 'from' : 'above'} ${least}`,
    most === undefined || most >= Number.MAX_SAFE_INTEGER
      ? ''
      : `${node.exclusiveMaximum === undefined ? 'to' : 'below'} ${most}`,
  ].filter((part) => part !== '');
  return parts.length > 0 ? `, ${parts.join(' ')}` : '';
}

function defaultOf(node: SchemaNode): string {
  if (node.default === undefined) return '';
  const text = JSON.stringify(node.default);
  return text === '{}' ? '' : `\`${cell(text)}\``;
}

/** A table cell: a pipe would start the next one. */
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
