import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { RatchetError } from '../../core/errors.ts';
import type { Contributions, Windows } from '../../core/models/model.ts';
import type { VerifiedPackage } from '../../core/packages/verify.ts';
import { environmentOf } from '../../infra/config.ts';
import type { ExplainQuestion, ExplainReply } from '../../workers/explain-process.ts';
import { ApiError } from '../errors.ts';

/** Explanations that may wait: some 10 ms each, and nobody's prediction waits for them. */
const WAITING_MAX = 50;
/** A process that has not answered by then never will; the next question starts another. */
const ANSWER_LIMIT_MS = 10_000;
/** A process that nobody asks goes: it holds some 100 MB. */
const IDLE_MS = 60_000;
/** Of the environment; no secret is passed on. */
const PASSED_ON = ['PATH', 'HOME', 'TMPDIR', 'LD_LIBRARY_PATH', 'NODE_OPTIONS', 'LANG'];

export interface ExplainerOptions {
  readonly answerLimitMs?: number;
  readonly idleMs?: number;
  /** Told of each process that starts. */
  readonly onStart?: (pid: number) => void;
}

interface Pending {
  readonly question: ExplainQuestion;
  readonly resolve: (contributions: Contributions) => void;
  readonly reject: (error: Error) => void;
}

/** Why a package has no contributions, in words; undefined where it has. */
export const notExplainable = ({ trees, manifest }: VerifiedPackage): string | undefined =>
  trees ? undefined : `the family ${manifest.family} does not say what each feature contributes`;

/**
 * What each feature contributed to predictions, off the hot path: one question at a time in a process of its own, which
 * alone loads the native libraries, starts on demand and goes when nobody asks.
 */
export class Explainer {
  readonly #options: ExplainerOptions;
  /** In order of arrival; the first one is with the process. */
  readonly #pending: Pending[] = [];
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #next = 1;
  #closed = false;

  constructor(options: ExplainerOptions = {}) {
    this.#options = options;
  }

  /**
   * Contributions to the answers of a package for some windows. Throws `explain.none` where its family has none
   * (`notExplainable` says so before), `explain.overloaded` where too many wait, `explain.failed` and what the family
   * throws where there is no answer.
   */
  async explain(pkg: VerifiedPackage, windows: Windows): Promise<Contributions> {
    const reason = notExplainable(pkg);
    if (reason !== undefined) throw new RatchetError('explain.none', reason);
    if (this.#closed) throw new RatchetError('explain.closed', 'serving has stopped');
    if (this.#pending.length >= WAITING_MAX) throw overloaded();
    const id = this.#next++;
    // A view would be sent with all of the memory that it looks at.
    const nativeFile = new Uint8Array(pkg.trees!);
    const question = { id, family: pkg.manifest.family, nativeFile, windows };
    return new Promise((resolve, reject) => {
      this.#pending.push({ question, resolve, reject });
      if (this.#pending.length === 1) this.#ask();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#end(new RatchetError('explain.closed', 'serving has stopped', { permanent: false }));
    for (const { reject } of this.#pending.splice(0)) {
      reject(new RatchetError('explain.closed', 'serving has stopped', { permanent: false }));
    }
  }

  /** Gives the first question to the process; none left: the process may go in a while. */
  #ask(): void {
    clearTimeout(this.#timer);
    const [first] = this.#pending;
    if (!first) {
      const { idleMs = IDLE_MS } = this.#options;
      this.#timer = setTimeout(() => this.#end(undefined), idleMs).unref();
      return;
    }
    const { answerLimitMs = ANSWER_LIMIT_MS } = this.#options;
    this.#timer = setTimeout(() => this.#end(noAnswer('in time')), answerLimitMs);
    this.#child ??= this.#start();
    this.#child.send(first.question, () => {});
  }

  #start(): ChildProcess {
    const child = startProcess();
    child.unref();
    child.channel?.unref();
    if (child.pid !== undefined) this.#options.onStart?.(child.pid);
    child.on('message', (reply: ExplainReply) => this.#answered(reply));
    const gone = (): void => {
      if (this.#child === child) this.#end(noAnswer('before it ended'));
    };
    child.on('error', gone).on('exit', gone);
    return child;
  }

  #answered(reply: ExplainReply): void {
    const [first] = this.#pending;
    if (first?.question.id !== reply.id) return;
    this.#pending.shift();
    if (reply.ok) first.resolve(reply.contributions);
    else first.reject(new RatchetError(reply.code, reply.message));
    this.#ask();
  }

  /** Ends the process; the question that it had fails, the next one starts another. */
  #end(error: Error | undefined): void {
    clearTimeout(this.#timer);
    const child = this.#child;
    this.#child = undefined;
    child?.kill('SIGKILL');
    if (!error) return;
    this.#pending.shift()?.reject(error);
    if (!this.#closed && this.#pending.length > 0) this.#ask();
  }
}

/** Built code starts directly; TypeScript sources (tests) need their loader. */
function startProcess(): ChildProcess {
  const typescript = import.meta.filename.endsWith('.ts');
  const path = `../../workers/explain-process.${typescript ? 'ts' : 'js'}`;
  const loader = typescript ? ['--import', import.meta.resolve('tsx')] : [];
  return spawn(process.execPath, [...loader, fileURLToPath(new URL(path, import.meta.url))], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    serialization: 'advanced',
    env: { ...environmentOf(PASSED_ON, undefined), OMP_NUM_THREADS: '1' },
  });
}

const noAnswer = (when: string): RatchetError =>
  new RatchetError('explain.failed', `the process that explains gave no answer ${when}`, {
    permanent: false,
  });

const overloaded = (): ApiError =>
  new ApiError('unavailable', 'explain.overloaded', 'Too many explanations wait; ask later.', {
    retryAfterS: 2,
  });
