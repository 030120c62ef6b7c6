/** The newest figure of each measure, kept in results.jsonl, and the README's table of them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { format } from 'prettier';
import { z } from 'zod';
import type { Comparison, Measure } from './measure.ts';

const RESULTS = join(import.meta.dirname, 'results.jsonl');
const README = join(import.meta.dirname, '../../README.md');
const [BEGIN, END] = ['<!-- bench:begin -->', '<!-- bench:end -->'];
const GIBIBYTE = 2 ** 30;
const DIGITS = 3;

const spread = z.strictObject({ median: z.number(), lowest: z.number(), highest: z.number() });

const recordedSchema = z.strictObject({
  name: z.string(),
  unit: z.string(),
  better: z.enum(['lower', 'higher']),
  ours: z.number(),
  peer: z.number(),
  peerName: z.string(),
  ratio: z.number(),
  target: z.number(),
  pass: z.boolean(),
  rounds: z.number(),
  oursSpread: spread,
  peerSpread: spread,
  broken: z.array(z.string()),
  also: z.record(z.string(), z.number()),
  /** YYYY-MM-DD, UTC. */
  date: z.string(),
  machine: z.string(),
});

/** A comparison, and when and where it was seen. */
export type Recorded = z.output<typeof recordedSchema>;

/** Like `2 x Model Name, 24 GiB, Node 20.20.0`. */
export function machineInWords(): string {
  const all = cpus();
  const model = all[0]?.model.replace(/\s+/g, ' ').trim() ?? 'unknown processor';
  return `${all.length} x ${model}, ${Math.round(totalmem() / GIBIBYTE)} GiB, Node ${process.versions.node}`;
}

/** One line a measure; throws where the file holds something else. */
export const recordedResults = (): readonly Recorded[] =>
  readFileSync(RESULTS, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => recordedSchema.parse(JSON.parse(line)));

/** In the order of the catalogue, each in the place of its older figure; what the catalogue lost is gone. */
export function mergeResults(
  catalogue: readonly Pick<Measure, 'name'>[],
  older: readonly Recorded[],
  newer: readonly Recorded[],
): readonly Recorded[] {
  const byName = new Map([...older, ...newer].map((result) => [result.name, result]));
  return catalogue.flatMap(({ name }) => byName.get(name) ?? []);
}

function row(measure: Pick<Measure, 'docs'>, one: Recorded): string {
  const figure = (x: number): string =>
    Number(x.toPrecision(DIGITS)).toLocaleString('en', {
      useGrouping: false,
      maximumFractionDigits: 6,
    });
  const cells = [
    `\`${one.name}\``,
    measure.docs,
    `${figure(one.ours)} ${one.unit}`,
    `${one.peerName}: ${figure(one.peer)} ${one.unit}`,
    `${one.pass ? '' : '**short** '}${figure(one.ratio)} (${one.better === 'lower' ? '≤' : '≥'} ${one.target})`,
  ];
  return `| ${cells.join(' | ')} |`;
}

/** Markdown: machines and days, then a line a measure that has a figure. */
export function resultsTable(
  catalogue: readonly Pick<Measure, 'name' | 'docs'>[],
  results: readonly Recorded[],
): string {
  const seen = [...new Set(results.map(({ date, machine }) => `${date}, ${machine}`))];
  const rows = catalogue.flatMap((measure) => {
    const result = results.find(({ name }) => name === measure.name);
    return result === undefined ? [] : [row(measure, result)];
  });
  return [
    `Measured ${seen.join('; ')}. Medians; the best of the peers; ratio: ours / peer, and what was aimed at.`,
    '',
    '| measure | what | ours | peer | ratio |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

/** What stands between the README's marks. */
export function tableOf(readme: string): string {
  const [from, to] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`the README has no ${BEGIN} ... ${END}`);
  return readme.slice(from + BEGIN.length, to).trim();
}

/** Writes results.jsonl and the README's table. */
export async function record(
  catalogue: readonly Measure[],
  comparisons: readonly Comparison[],
): Promise<void> {
  const date = new Date().toISOString().slice(0, 10);
  const machine = machineInWords();
  const newer = comparisons.map((one) => recordedSchema.parse({ ...one, date, machine }));
  const results = mergeResults(catalogue, recordedResults(), newer);
  writeFileSync(RESULTS, results.map((one) => `${JSON.stringify(one)}\n`).join(''));
  const readme = readFileSync(README, 'utf8');
  const table = await format(resultsTable(catalogue, results), { parser: 'markdown' });
  const [before, after] = [readme.split(BEGIN)[0]!, readme.split(END)[1] ?? ''];
  writeFileSync(README, `${before}${BEGIN}\n\n${table}\n${END}${after}`);
}
