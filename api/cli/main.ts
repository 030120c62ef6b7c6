/** Entry of the `ratchet` command: registers every command module and turns failures into exit codes. */
import { Command, CommanderError } from 'commander';
import { ZodError } from 'zod';
import { RatchetError } from '../../core/errors.ts';
import { readConfig, type Config } from '../../infra/config.ts';
import {
  CliError,
  createOutput,
  EXIT,
  EXIT_HELP,
  type CliContext,
  type ExitCode,
  type RegisterCommands,
} from './output.ts';
import { register as registerAdvise } from './advise.ts';
import { register as registerAlerts } from './alerts.ts';
import { register as registerBacktest } from './backtest.ts';
import { register as registerBatchPredict } from './batch-predict.ts';
import { register as registerBatchPredictions } from './batch-predictions.ts';
import { register as registerDemo } from './demo.ts';
import { register as registerDrift } from './drift.ts';
import { register as registerEvaluate } from './evaluate.ts';
import { register as registerExperiments } from './experiments.ts';
import { register as registerInspect } from './inspect.ts';
import { register as registerKeys } from './keys.ts';
import { register as registerLookahead } from './lookahead/command.ts';
import { register as registerMirror } from './mirror.ts';
import { register as registerModels } from './models.ts';
import { inOptions } from './option-names.ts';
import { register as registerPerformance } from './performance.ts';
import { register as registerParity } from './parity.ts';
import { register as registerPredict } from './predict.ts';
import { register as registerResults } from './results.ts';
import { register as registerSignal } from './signal.ts';
import { register as registerReplay } from './replay/command.ts';
import { register as registerReport } from './report.ts';
import { connect } from './stack-connect.ts';
import { register as registerSearch } from './search.ts';
import { register as registerSql } from './sql.ts';
import { register as registerStack } from './stack-commands.ts';

/** In the order of the help. */
const COMMANDS: readonly RegisterCommands[] = [
  registerStack,
  registerDemo,
  registerExperiments,
  registerSearch,
  registerModels,
  registerReport,
  registerEvaluate,
  registerDrift,
  registerPredict,
  registerBatchPredict,
  registerBatchPredictions,
  registerSignal,
  registerAdvise,
  registerBacktest,
  registerResults,
  registerPerformance,
  registerParity,
  registerReplay,
  registerAlerts,
  registerKeys,
  registerMirror,
  registerInspect,
  registerSql,
  registerLookahead,
];

function describe(error: unknown): {
  exitCode: ExitCode;
  message: string;
  hint?: string | undefined;
  details?: unknown;
} {
  if (error instanceof CliError) return error;
  if (error instanceof ZodError) {
    const issues = error.issues.map((i) => `${i.path.join('.') || 'value'}: ${i.message}`);
    return { exitCode: EXIT.usage, message: `not valid: ${issues.join('; ')}` };
  }
  if (error instanceof RatchetError) {
    const exitCode = error.permanent ? EXIT.usage : EXIT.failed;
    return { exitCode, message: error.message, details: { code: error.code, ...error.details } };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { exitCode: EXIT.failed, message };
}

const HELP = 'ratchet --help lists the commands';

/** A mistake on the command line itself, in the shape of the other errors. */
function usageError({ code, message }: CommanderError): object {
  // Without a command commander shows the help and has no sentence of its own.
  const said = code === 'commander.help' ? 'a command is missing' : message.replace(/^error: /, '');
  return { message: said, hint: HELP, exitCode: EXIT.usage, code };
}

function writeJsonError(error: object): void {
  process.stderr.write(`${JSON.stringify({ error })}\n`);
}

/** Runs one command line; returns its exit code. */
export async function runCli(argv: readonly string[]): Promise<ExitCode> {
  const program = new Command('ratchet')
    .description('Durable MLOps for market models: a champion is replaced only by a better one.')
    .option('--json', 'print JSON instead of text')
    .showHelpAfterError(`(${HELP})`)
    .addHelpText('after', EXIT_HELP)
    .exitOverride();
  const json = (): boolean => program.opts<{ json?: boolean }>().json === true;
  // Before the commands are registered: they inherit it. Under --json the error is written below.
  program.configureOutput({
    writeErr: (text) => {
      if (!json()) process.stderr.write(text);
    },
  });
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort());
  let config: Config | undefined;
  let running: Command | undefined;
  program.hook('preAction', (_program, command) => {
    running = command;
  });
  const ctx: CliContext = {
    get json() {
      return json();
    },
    get interactive() {
      return process.stdout.isTTY && !json();
    },
    // Read when a command asks for it: a bad setting is told like any other mistake.
    get config() {
      config ??= readConfig();
      return config;
    },
    out: createOutput(process.stdout, json),
    signal: interrupted.signal,
    connect: () => connect(ctx.config),
  };
  try {
    for (const register of COMMANDS) register(program, ctx);
    await program.parseAsync([...argv]);
    return (process.exitCode as ExitCode | undefined) ?? EXIT.ok;
  } catch (error) {
    ctx.out.endProgress();
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.ok;
      // For people commander has written it already.
      if (json()) writeJsonError(usageError(error));
      return EXIT.usage;
    }
    if (interrupted.signal.aborted) return EXIT.interrupted;
    const { exitCode, message, hint, details } = describe(
      error instanceof CliError && running ? inOptions(error, running) : error,
    );
    if (json()) {
      writeJsonError({ message, hint, exitCode, ...(details as object) });
    } else {
      process.stderr.write(`error: ${message}\n${hint ? `  ${hint}\n` : ''}`);
    }
    return exitCode;
  }
}

/** Whoever read along has heard enough (`ratchet history MODEL | head`): that is no failure. */
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(EXIT.ok);
  });
}

process.exitCode = await runCli(process.argv);
