import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { evaluationSchema } from '../../core/evaluation/index.ts';
import { openClient } from './http.ts';
import { segment, version } from './options.ts';
import { printEvaluation } from './report-text.ts';
import { CliError, EXIT, type CliContext } from './output.ts';

interface ReportOptions {
  readonly version?: number;
  readonly output?: string;
  readonly text?: true;
}

/** `report`. */
export function register(program: Command, ctx: CliContext): void {
  program
    .command('report')
    .argument('<model>')
    .description('the evaluation of the champion, or of a version, as one HTML file or as text')
    .option('-v, --version <n>', 'of this version; default: the champion', version)
    .option('-o, --output <file>', 'where to; default: report-MODEL-vN.html, "-": to stdout')
    .option('-t, --text', 'print verdict, scores, slices and warnings; with --json all figures')
    .action((model: string, options: ReportOptions) => report(ctx, model, options));
}

async function report(ctx: CliContext, name: string, options: ReportOptions): Promise<void> {
  const client = await openClient(ctx);
  const base = `/api/v1/ml-models/${segment(name)}`;
  // Says which version the champion is, and which names there are not.
  const query = { version: options.version };
  const of = await client.json('GET', `${base}/metrics`, { query });
  const model = String(of['model']);
  const number = Number(of['version']);
  const evaluationOf = async () =>
    evaluationSchema.parse(await client.json('GET', `${base}/versions/${number}/evaluation`));
  if (options.text) return printEvaluation(ctx, model, number, await evaluationOf());
  const response = await client.send('GET', `${base}/versions/${number}/report`);
  const html = await response.text();
  if (options.output === '-') {
    ctx.out.data({ model, version: number, html });
    ctx.out.line(html.replace(/\n$/, ''));
    return;
  }
  const path = resolve(options.output ?? `report-${model}-v${number}.html`);
  await writeFile(path, html).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CliError(EXIT.usage, `${path} cannot be written: ${reason}`, { cause });
  });
  ctx.out.data({ model, version: number, path });
  ctx.out.line(path);
}
