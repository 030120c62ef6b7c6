import { PassThrough } from 'node:stream';
import { Command, CommanderError } from 'commander';
import { register as registerAdvise } from '../../api/cli/advise.ts';
import { register as registerAlerts } from '../../api/cli/alerts.ts';
import { register as registerBacktest } from '../../api/cli/backtest.ts';
import { register as registerBatchPredict } from '../../api/cli/batch-predict.ts';
import { register as registerBatchPredictions } from '../../api/cli/batch-predictions.ts';
import { register as registerDrift } from '../../api/cli/drift.ts';
import { register as registerEvaluate } from '../../api/cli/evaluate.ts';
import { register as registerExperiments } from '../../api/cli/experiments.ts';
import { register as registerKeys } from '../../api/cli/keys.ts';
import { register as registerLookahead } from '../../api/cli/lookahead/command.ts';
import { register as registerMirror } from '../../api/cli/mirror.ts';
import { register as registerModels } from '../../api/cli/models.ts';
import { register as registerParity } from '../../api/cli/parity.ts';
import { register as registerPerformance } from '../../api/cli/performance.ts';
import { register as registerPredict } from '../../api/cli/predict.ts';
import { register as registerReport } from '../../api/cli/report.ts';
import { register as registerResults } from '../../api/cli/results.ts';
import { register as registerSearch } from '../../api/cli/search.ts';
import { register as registerSignal } from '../../api/cli/signal.ts';
import { register as registerSql } from '../../api/cli/sql.ts';
import { CliError, createOutput, EXIT } from '../../api/cli/output.ts';
import type { ApiAddress, CliContext } from '../../api/cli/output.ts';
import { readConfig } from '../../infra/config.ts';

export interface Outcome {
  readonly code: number;
  readonly text: string;
  readonly error: string;
  /** On stderr, beside an error. */
  readonly warnings: string;
  readonly hint: string;
}

/** The commands that speak to the API. */
export function program(ctx: CliContext): Command {
  const root = new Command('ratchet').option('--json').exitOverride();
  root.configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  const modules = [registerExperiments, registerModels, registerReport, registerPredict];
  const watched = [registerDrift, registerPerformance, registerParity, registerAlerts];
  const others = [
    ...[registerEvaluate, registerKeys, registerMirror, registerSearch, registerSignal],
    ...[registerAdvise, registerBacktest, registerBatchPredict, registerResults, registerSql],
    ...[registerBatchPredictions, registerLookahead],
  ];
  for (const register of [...modules, ...watched, ...others]) {
    register(root, ctx);
  }
  return root;
}

/** Runs one command line in this process; what main.ts makes of errors is tested with it. */
export const run = (address: ApiAddress, ...argv: string[]): Promise<Outcome> =>
  runProgram(program, () => Promise.resolve(address), argv);

/** Runs a command line of the commands that `build` registers. */
export async function runProgram(
  build: (ctx: CliContext) => Command,
  connect: CliContext['connect'],
  argv: readonly string[],
): Promise<Outcome> {
  const stdout = new PassThrough();
  const chunks: Buffer[] = [];
  stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const stderr = new PassThrough();
  const json = argv.includes('--json');
  const ctx: CliContext = {
    json,
    interactive: false,
    config: readConfig({}),
    out: createOutput(stdout, () => json, stderr),
    signal: new AbortController().signal,
    connect,
  };
  const done = (code: number, error = '', hint = ''): Outcome => {
    const text = Buffer.concat(chunks).toString('utf8');
    const warnings = String(stderr.read() ?? '');
    return { code, text, error, hint, warnings };
  };
  try {
    await build(ctx).parseAsync(argv, { from: 'user' });
    return done(EXIT.ok);
  } catch (error) {
    if (error instanceof CliError) return done(error.exitCode, error.message, error.hint ?? '');
    if (error instanceof CommanderError) return done(EXIT.usage, error.message);
    throw error;
  }
}
