/** The embedded stack: every server and process of the platform as supervised children. */
import type { Server } from 'node:http';
import { migrateDatabase } from '../registry/migrate.ts';
import type { Log } from '../activities/deps.ts';
import { readConfig, type Config } from './config.ts';
import { Child } from './stack/child.ts';
import { environmentFor, NOTHING_EXTERNAL, type External } from './stack/environment.ts';
import { listenForControl, partStatus, type StackStatus } from './stack/control.ts';
import {
  ensureKeys,
  ensureSecrets,
  readStackFile,
  StackError,
  writeStackFile,
  type KeyFiles,
  type Secrets,
  type StackFile,
} from './stack/identity.ts';
import { layoutOf, makeFolders, type Layout } from './stack/layout.ts';
import { apiSpec, checkBuilt, workerSpecs } from './stack/own.ts';
import { databaseUrl, ensureDatabase, postgresSpec } from './stack/postgres.ts';
import { endLeftovers, memoryOfGroups } from './stack/processes.ts';
import {
  programPath,
  programPathOrThrow,
  readProvidedParts,
  type ProvidedParts,
} from './stack/provided.ts';
import { newStackFile, renewTakenPorts, takeStateFolder } from './stack/state-folder.ts';
import { forgetSupervisor } from './stack/supervisor-record.ts';
import { checkTemporalVersion, mlflowSpec, s3Spec, temporalSpec } from './stack/servers.ts';

export const STACK_PARTS = ['postgres', 'temporal', 's3', 'mlflow', 'workers', 'api'] as const;
export type StackPart = (typeof STACK_PARTS)[number];

/** What happens while a stack starts. */
export type StackEvent =
  | { readonly kind: 'starting'; readonly name: string; readonly title: string }
  | { readonly kind: 'ready'; readonly name: string; readonly title: string; readonly ms: number }
  | { readonly kind: 'note'; readonly text: string };

export interface StackOptions {
  readonly stateDir: string;
  /** Default: all. Tests ask for the servers they need. */
  readonly parts?: readonly StackPart[];
  readonly log?: Log;
  readonly onEvent?: (event: StackEvent) => void;
  /** Servers of the operator's own, used instead of the embedded ones; default: none. */
  readonly external?: External;
  /** What this machine has; default: what set-up recorded. */
  readonly provided?: ProvidedParts;
  /** Settles when the start is to be given up, e.g. at Ctrl-C. */
  readonly stopWhen?: Promise<void>;
}

export interface Stack {
  readonly id: string;
  /** What a process that uses this stack is configured with. */
  readonly config: Config;
  /** The same as environment variables. */
  readonly env: Readonly<Record<string, string>>;
  readonly keys: KeyFiles;
  status(): StackStatus;
  /** Resolves when somebody asked the stack to end (`ratchet down`). */
  readonly downAsked: Promise<void>;
  /** Ends every child; resolves when none is left. */
  stop(): Promise<void>;
}

const silent: Log = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  debug: () => undefined,
};

/**
 * Starts the stack of a state folder and resolves when all its parts but the mirror answer.
 * Throws `StackError`: `stack.already-running`, `stack.part-missing`, `stack.child-ended`, ...
 * On any error nothing is left running.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const supervisor = new Supervisor(options);
  const givenUp = options.stopWhen?.then(() => supervisor.stop()).then(throwStopped);
  try {
    await Promise.race([supervisor.start(), ...(givenUp ? [givenUp] : [])]);
  } catch (error) {
    await supervisor.stop();
    throw error;
  }
  return supervisor;
}

function throwStopped(): never {
  throw new StackError('stack.stopped', 'the stack was ended while it started');
}

class Supervisor implements Stack {
  readonly #layout: Layout;
  readonly #parts: ReadonlySet<StackPart>;
  readonly #log: Log;
  readonly #onEvent: (event: StackEvent) => void;
  readonly #provided: ProvidedParts;
  readonly #external: External;
  readonly #startedAt = new Date().toISOString();
  readonly #children: Child[] = [];
  readonly downAsked: Promise<void>;
  #askDown: () => void = () => undefined;
  #file!: StackFile;
  #secrets!: Secrets;
  #keys!: KeyFiles;
  #control: Server | undefined;
  #ready = false;
  #stopping: Promise<void> | undefined;

  constructor(options: StackOptions) {
    this.#layout = layoutOf(options.stateDir);
    this.#parts = new Set(options.parts ?? STACK_PARTS);
    this.#log = options.log ?? silent;
    this.#onEvent = options.onEvent ?? (() => undefined);
    this.#external = options.external ?? NOTHING_EXTERNAL;
    this.#provided = options.provided ?? readProvidedParts();
    this.downAsked = new Promise((resolve) => {
      this.#askDown = resolve;
    });
  }

  get id(): string {
    return this.#file.id;
  }

  get keys(): KeyFiles {
    return this.#keys;
  }

  get env(): Record<string, string> {
    const parts = new Set<string>([...this.#parts].filter((part) => this.#runs(part)));
    const own = environmentFor(this.#layout, this.#file.ports, this.#secrets, parts);
    return { ...own, ...this.#external.env };
  }

  get config(): Config {
    return readConfig({ ...process.env, ...this.env });
  }

  /** Asked for, and, for what can be left out, provided by set-up. */
  #runs(part: StackPart): boolean {
    if (!this.#parts.has(part) || this.#external.parts.has(part)) return false;
    const optional = part === 's3' || part === 'mlflow';
    return !optional || programPath(this.#provided, part) !== undefined;
  }

  async start(): Promise<void> {
    makeFolders(this.#layout);
    await this.#takeFolder();
    checkBuilt(this.#parts);
    const killed = await endLeftovers(this.#layout.run);
    if (killed.length > 0) this.#note(`ended what an earlier stack left: ${killed.join(', ')}`);
    this.#file = await renewTakenPorts(this.#layout, this.#file, (moved) =>
      this.#note(`ports taken by other programs, so these moved: ${moved.join(', ')}`),
    );
    const { makePackageKey, packageKeySource } = this.config;
    const hasKeys = Object.values(packageKeySource).some((source) => source !== undefined);
    this.#keys = ensureKeys(this.#layout, { packages: makePackageKey && !hasKeys });
    const { parts } = this.#external;
    if (parts.size > 0) this.#note(`servers of your own are used for: ${[...parts].join(', ')}`);
    await Promise.all([this.#startPostgres(), this.#startTemporal(), this.#startS3()]);
    await this.#startOwn();
    this.#ready = true;
    // Last, and not waited for: its start takes a core for seconds and nobody needs it yet.
    this.#startMlflow();
  }

  /** From here on it is this supervisor's, until the control server is closed. */
  async #takeFolder(): Promise<void> {
    this.#secrets = ensureSecrets(this.#layout);
    this.#file = readStackFile(this.#layout) ?? (await newStackFile(this.#layout, this.#startedAt));
    this.#file = await takeStateFolder(this.#layout, this.#file, async (port) => {
      this.#control = await listenForControl(port, this.#secrets.control, {
        status: () => this.status(),
        down: () => this.#askDown(),
      });
      return this.#control;
    });
  }

  async #startPostgres(): Promise<void> {
    const elsewhere = this.#parts.has('postgres') && this.#external.env['RATCHET_DATABASE_URL'];
    if (elsewhere) return this.#migrate(elsewhere);
    if (!this.#runs('postgres')) return;
    const bin = programPathOrThrow(this.#provided, 'postgres');
    const begin = performance.now();
    const { postgres } = this.#file.ports;
    const spec = await postgresSpec(bin, this.#layout, this.#secrets, postgres);
    await this.#startChild(new Child(spec, this.#layout, this.#log), begin);
    await ensureDatabase(postgres, this.#secrets);
    await this.#migrate(databaseUrl(postgres, this.#secrets));
  }

  async #migrate(url: string): Promise<void> {
    const applied = await migrateDatabase(url);
    if (applied.length > 0) this.#note(`database migrated: ${applied.join(', ')}`);
  }

  async #startTemporal(): Promise<void> {
    if (!this.#runs('temporal')) return;
    const program = programPathOrThrow(this.#provided, 'temporal');
    const version = this.#provided['temporal']?.version ?? 'unknown';
    checkTemporalVersion(this.#file, version);
    if (this.#file.temporal === undefined) {
      this.#file = { ...this.#file, temporal: version };
      writeStackFile(this.#layout, this.#file);
    }
    const spec = temporalSpec(program, this.#layout, this.#file.ports);
    await this.#startChild(new Child(spec, this.#layout, this.#log));
  }

  async #startS3(): Promise<void> {
    if (!this.#runs('s3')) return;
    const program = programPathOrThrow(this.#provided, 's3');
    const spec = s3Spec(program, this.#layout, this.#secrets, this.#file.ports);
    await this.#startChild(new Child(spec, this.#layout, this.#log));
  }

  async #startOwn(): Promise<void> {
    const { ports } = this.#file;
    const specs = [
      ...(this.#parts.has('workers') ? workerSpecs(this.env, this.#keys, ports) : []),
      ...(this.#parts.has('api') ? [apiSpec(this.env, this.#keys, ports)] : []),
    ];
    const children = specs.map((spec) => new Child(spec, this.#layout, this.#log));
    await Promise.all(children.map((child) => this.#startChild(child)));
  }

  #startMlflow(): void {
    if (!this.#runs('mlflow')) return;
    const program = programPathOrThrow(this.#provided, 'mlflow');
    const spec = mlflowSpec(program, this.#layout, this.#file.ports);
    const child = new Child(spec, this.#layout, this.#log);
    this.#children.push(child);
    child.startInBackground();
  }

  async #startChild(child: Child, begin = performance.now()): Promise<void> {
    const { name, title } = child.spec;
    if (this.#stopping) throw new StackError('stack.stopped', 'the stack is being ended');
    this.#children.push(child);
    this.#onEvent({ kind: 'starting', name, title });
    await child.start();
    const ms = performance.now() - begin;
    this.#log.info({ child: name, ms: Math.round(ms) }, 'child is ready');
    this.#onEvent({ kind: 'ready', name, title, ms });
  }

  #note(text: string): void {
    this.#log.warn({}, text);
    this.#onEvent({ kind: 'note', text });
  }

  status(): StackStatus {
    const memory = memoryOfGroups();
    return {
      id: this.#file.id,
      pid: process.pid,
      startedAt: this.#startedAt,
      ready:
        this.#ready && this.#children.every((c) => c.spec.name === 'mlflow' || c.state === 'ready'),
      stopping: this.#stopping !== undefined,
      parts: this.#children.map((child) => partStatus(child, memory)),
    };
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#end();
    return this.#stopping;
  }

  /** Ours first, then what they use. */
  async #end(): Promise<void> {
    const servers = new Set(['postgres', 'temporal', 's3']);
    const own = this.#children.filter((child) => !servers.has(child.spec.name));
    await Promise.all(own.map((child) => child.stop()));
    await Promise.all(this.#children.map((child) => child.stop()));
    const control = this.#control;
    if (!control) return;
    // Before the port is given back: who has the port next notes itself.
    forgetSupervisor(this.#layout);
    await new Promise<void>((resolve) => {
      control.close(() => resolve());
      control.closeAllConnections();
    });
  }
}
