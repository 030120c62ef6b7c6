/** `ratchet up` and `ratchet down`. */
import { spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { createLogger } from '../../infra/telemetry.ts';
import {
  STACK_PARTS,
  startStack,
  type Stack,
  type StackEvent,
  type StackPart,
} from '../../infra/stack.ts';
import { askDown, askRunning, askStatus, type StackStatus } from '../../infra/stack/control.ts';
import { readStackFile, StackError } from '../../infra/stack/identity.ts';
import { externalFrom } from '../../infra/stack/environment.ts';
import { layoutOf, makeFolders, type Layout } from '../../infra/stack/layout.ts';
import { leftOut } from '../../infra/stack/left-out.ts';
import { endLeftovers, pause, readRecords, waitUntil } from '../../infra/stack/processes.ts';
import { isFree } from '../../infra/stack/ports.ts';
import { endSupervisor, livingSupervisor } from '../../infra/stack/supervisor-record.ts';
import { readProvidedParts } from '../../infra/stack/provided.ts';
import { CliError, EXIT, type CliContext } from './output.ts';

const DETACHED_WAIT_MS = 120_000;
const DOWN_WAIT_MS = 60_000;
const ASK_EVERY_MS = 100;

const SEE_OR_END = 'see it: ratchet status   end it: ratchet down';

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

const REFUSED: readonly string[] = [
  'stack.already-running',
  'stack.no-answer',
  'stack.temporal-version',
  'stack.postgres-version',
];
/** Their sentence says what to do. */
const HINTS: Readonly<Record<string, string | undefined>> = {
  'stack.already-running': SEE_OR_END,
  'stack.no-answer': undefined,
};

function asCliError(error: unknown): unknown {
  if (!(error instanceof StackError)) return error;
  const { code } = error;
  return new CliError(REFUSED.includes(code) ? EXIT.refused : EXIT.failed, error.message, {
    hint: code in HINTS ? HINTS[code] : 'find out: ratchet doctor',
    details: { code, ...error.details },
    cause: error,
  });
}

function show(ctx: CliContext, event: StackEvent): void {
  if (ctx.json) return;
  if (event.kind === 'note') return ctx.out.line(`  --  ${event.text}`);
  if (event.kind === 'starting') {
    if (ctx.interactive) ctx.out.progress(`  ..  ${event.title}`);
    return;
  }
  ctx.out.line(`  ok  ${event.title.padEnd(32)}${seconds(event.ms).padStart(8)}`);
}

/** Where to look once it stands. */
export function showAddresses(ctx: CliContext, status: StackStatus): void {
  const url = (name: string) => status.parts.find((part) => part.name === name)?.url;
  const api = url('api');
  const lines = [
    api && ['API', api],
    api && ['API docs', `${api}/docs`],
    url('temporal') && ['Temporal UI', url('temporal')],
    url('mlflow') && ['MLflow', `${url('mlflow')}   (ready some seconds later)`],
  ];
  for (const line of lines) {
    if (Array.isArray(line)) ctx.out.line(`  ${line[0]!.padEnd(12)} ${line[1]}`);
  }
  for (const part of leftOut(readProvidedParts())) {
    ctx.out.line(`  left out: ${part.name}: ${part.without}`);
    ctx.out.line(`            to have it: ${part.fix}`);
  }
}

export interface UpOptions {
  readonly detach?: boolean;
  /** Comma-separated; default: all. */
  readonly parts?: string;
}

function partsOf(text: string | undefined): readonly StackPart[] | undefined {
  if (text === undefined) return undefined;
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !STACK_PARTS.some((part) => part === name));
  if (unknown !== undefined) {
    const known = STACK_PARTS.join(', ');
    throw new CliError(EXIT.usage, `there is no part "${unknown}"`, { hint: `parts: ${known}` });
  }
  return STACK_PARTS.filter((part) => names.includes(part));
}

export async function up(ctx: CliContext, options: UpOptions): Promise<void> {
  const parts = partsOf(options.parts);
  const begin = performance.now();
  process.umask(0o077);
  const layout = layoutOf(ctx.config.stateDir);
  if (options.detach) return upDetached(ctx, layout, begin, parts);
  makeFolders(layout);
  const destination = pino.destination({ dest: join(layout.logs, 'supervisor.log'), sync: true });
  const log = createLogger('supervisor', ctx.config, destination);
  // Asked to end while it still starts: `startStack` sees it at its next step.
  const asked = new Promise<void>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => resolve());
  });
  ctx.out.line(`Ratchet starts, state in ${ctx.config.stateDir}`);
  const starting = startStack({
    stateDir: ctx.config.stateDir,
    log,
    onEvent: (event) => show(ctx, event),
    ...(parts ? { parts } : {}),
    stopWhen: asked,
    external: externalFrom(),
  });
  let stack: Stack;
  try {
    stack = await starting;
  } catch (error) {
    log.error({ err: error }, 'the stack did not start');
    throw asCliError(error);
  }
  const status = stack.status();
  ctx.out.data({ ...status, readyMs: Math.round(performance.now() - begin) });
  ctx.out.line(`ready in ${seconds(performance.now() - begin)} (pid ${process.pid})`);
  showAddresses(ctx, status);
  ctx.out.line('Ctrl-C ends it.');
  await Promise.race([asked, stack.downAsked]);
  ctx.out.line('ending');
  await stack.stop();
  ctx.out.line('nothing is running any more; the state stays');
}

/** What the detached process said at its end, as this command's own error. */
function notStarted(log: string): CliError {
  const said = readFileSync(log, 'utf8').trim();
  const at = said.indexOf('error: ');
  const reason = at === -1 ? `it ended without a word (${log})` : said.slice(at + 'error: '.length);
  return new CliError(EXIT.failed, reason);
}

/** Starts the same command as a process of its own and waits until it stands. */
async function upDetached(
  ctx: CliContext,
  layout: Layout,
  begin: number,
  parts: readonly StackPart[] | undefined,
): Promise<void> {
  makeFolders(layout);
  const running = await askRunning(layout).catch((error: unknown) => {
    throw asCliError(error);
  });
  if (running) {
    const url = running.parts.find((part) => part.name === 'api')?.url;
    throw new CliError(
      EXIT.refused,
      `a stack on ${layout.stateDir} is running already (supervisor pid ${running.pid}${url ? `, its API at ${url}` : ''})`,
      { hint: SEE_OR_END, details: { pid: running.pid, url } },
    );
  }
  const log = openSync(join(layout.logs, 'up.log'), 'w', 0o600);
  const args = [
    ...process.execArgv,
    process.argv[1]!,
    'up',
    ...(parts ? ['--parts', parts.join(',')] : []),
  ];
  const child = spawn(process.execPath, args, { detached: true, stdio: ['ignore', log, log] });
  let ended: number | null | undefined;
  child.once('exit', (code) => {
    ended = code;
  });
  child.unref();
  ctx.out.line(`Ratchet starts, state in ${layout.stateDir}`);
  const seen = new Set<string>();
  while (performance.now() - begin < DETACHED_WAIT_MS) {
    const status = await askStatus(layout);
    if (ended !== undefined) throw notStarted(join(layout.logs, 'up.log'));
    for (const part of status?.parts ?? []) {
      if (part.state !== 'ready' || seen.has(part.name)) continue;
      seen.add(part.name);
      ctx.out.line(
        `  ok  ${part.title.padEnd(32)}${seconds(performance.now() - begin).padStart(8)}`,
      );
    }
    if (status?.ready) {
      ctx.out.data({ ...status, readyMs: Math.round(performance.now() - begin) });
      ctx.out.line(`ready in ${seconds(performance.now() - begin)} (pid ${status.pid})`);
      showAddresses(ctx, status);
      ctx.out.line('ratchet status shows it, ratchet down ends it.');
      return;
    }
    await pause(ASK_EVERY_MS);
  }
  throw new CliError(EXIT.failed, 'the stack is not ready yet', { hint: 'look: ratchet status' });
}

export async function down(ctx: CliContext): Promise<void> {
  const layout = layoutOf(ctx.config.stateDir);
  const begin = performance.now();
  const asked = await askDown(layout).catch((error: unknown) => {
    // It lives and does not answer: ended below. Without a living one, somebody else is silent.
    if (livingSupervisor(layout)) return false;
    throw error;
  });
  const silent = asked ? undefined : livingSupervisor(layout);
  if (silent) {
    ctx.out.line(`the supervisor (pid ${silent.pid}) does not answer: it is ended`);
    await endSupervisor(layout, silent);
  }
  if (asked) {
    const port = readStackFile(layout)?.ports.control ?? 0;
    const end = performance.now() + DOWN_WAIT_MS;
    while (!(await isFree(port))) {
      if (performance.now() > end) {
        throw new CliError(EXIT.failed, 'the stack has not ended', { hint: 'see: ratchet status' });
      }
      await pause(ASK_EVERY_MS);
    }
  }
  const left = readRecords(layout.run).length;
  // A supervisor that was killed leaves records; its children end by themselves or here.
  const killed = left > 0 ? await endLeftovers(layout.run) : [];
  await waitUntil(() => readRecords(layout.run).length === 0, 1_000);
  const wasRunning = asked || silent !== undefined;
  ctx.out.data({ wasRunning, killed });
  if (!wasRunning && left === 0) return ctx.out.line('nothing was running');
  ctx.out.line(`ended in ${seconds(performance.now() - begin)}; the state stays`);
}
