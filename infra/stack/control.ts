/** The supervisor's own listener: it says who it is, tells its status and takes `down`. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { z } from 'zod';
import type { Child } from './child.ts';
import { readSecrets, readStackFile, StackError } from './identity.ts';
import type { Layout } from './layout.ts';
import { livingSupervisor, noAnswer } from './supervisor-record.ts';

const ASK_MS = 3_000;

const partStatusSchema = z.object({
  name: z.string(),
  title: z.string(),
  state: z.enum(['starting', 'ready', 'waiting', 'stopped']),
  pid: z.number().optional(),
  port: z.number().optional(),
  url: z.string().optional(),
  restarts: z.number(),
  memoryBytes: z.number().optional(),
  log: z.string(),
});

const statusSchema = z.object({
  id: z.string(),
  pid: z.number(),
  startedAt: z.string(),
  /** Everything but what may come later (the mirror) answers. */
  ready: z.boolean(),
  stopping: z.boolean(),
  failure: z.string().optional(),
  parts: z.array(partStatusSchema),
});

export type PartStatus = z.infer<typeof partStatusSchema>;
export type StackStatus = z.infer<typeof statusSchema>;

/** One child as the status tells it; `memory` in bytes by process group. */
export function partStatus(child: Child, memory: ReadonlyMap<number, number>): PartStatus {
  const { name, title, port, url } = child.spec;
  const { pid, state, restarts } = child;
  return {
    ...{ name, title, state, restarts, log: child.logFile },
    ...(pid === undefined ? {} : { pid, memoryBytes: memory.get(pid) ?? 0 }),
    ...(port === undefined ? {} : { port }),
    ...(url === undefined ? {} : { url }),
  };
}

export interface ControlHandlers {
  status(): StackStatus;
  /** Starts to end the stack; the answer does not wait for the end. */
  down(): void;
}

/**
 * The secret itself is never sent: while no stack runs, a program of another user may listen on the
 * recorded port. Each side proves to the other that it knows it, for one question each time.
 */
function proofOf(secret: string, side: 'ask' | 'answer', question: string, nonce: string): string {
  return createHmac('sha256', secret).update(`${side} ${question} ${nonce}`).digest('hex');
}

function isProof(given: string | null | undefined, proof: string): boolean {
  const [a, b] = [Buffer.from(given ?? ''), Buffer.from(proof)];
  return a.length === b.length && timingSafeEqual(a, b);
}

const NONCE = 'x-ratchet-nonce';
const PROOF = 'x-ratchet-proof';

/**
 * Listens on the recorded control port. The kernel gives a port to one process only and takes it
 * back when that one dies, however it dies: this is the lock of the state folder.
 * @returns undefined when somebody else listens there.
 */
export async function listenForControl(
  port: number,
  token: string,
  handlers: ControlHandlers,
): Promise<Server | undefined> {
  const server = createServer((request, response) => {
    const nonce = String(request.headers[NONCE] ?? '');
    const question = `${request.method} ${request.url}`;
    const asked = String(request.headers[PROOF] ?? '');
    const isKnown = isProof(asked, proofOf(token, 'ask', question, nonce));
    const proof = isKnown ? { [PROOF]: proofOf(token, 'answer', question, nonce) } : {};
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json', ...proof });
      response.end(JSON.stringify(body));
    };
    if (!isKnown) return answer(401, {});
    if (request.method === 'GET' && request.url === '/status')
      return answer(200, handlers.status());
    if (request.method === 'POST' && request.url === '/down') {
      answer(202, {});
      return handlers.down();
    }
    return answer(404, {});
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

async function ask(layout: Layout, method: string, path: string): Promise<Response | undefined> {
  const port = readStackFile(layout)?.ports.control;
  const token = readSecrets(layout)?.control;
  if (port === undefined || token === undefined) return undefined;
  const question = `${method} ${path}`;
  const nonce = randomBytes(16).toString('hex');
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { [NONCE]: nonce, [PROOF]: proofOf(token, 'ask', question, nonce) },
      signal: AbortSignal.timeout(ASK_MS),
    });
    if (isProof(response.headers.get(PROOF), proofOf(token, 'answer', question, nonce))) {
      return response;
    }
    await response.body?.cancel();
    return undefined;
  } catch (error) {
    // Nobody listens, or somebody who does not speak HTTP: another program took the port. Only a
    // supervisor that does not answer in time may be there, and that is an error.
    if ((error as Error).name !== 'TimeoutError') return undefined;
    const silent = livingSupervisor(layout);
    if (silent) throw noAnswer(layout, silent, error);
    throw new StackError('stack.no-answer', `the supervisor on port ${port} does not answer`, {
      cause: error,
    });
  }
}

/** Status of the supervisor of this state folder; undefined when none runs. */
export async function askStatus(layout: Layout): Promise<StackStatus | undefined> {
  const response = await ask(layout, 'GET', '/status');
  if (!response?.ok) {
    await response?.body?.cancel();
    return undefined;
  }
  const parsed = statusSchema.safeParse(await response.json().catch(() => undefined));
  // Another program may listen on the recorded port by now.
  return parsed.success && parsed.data.id === readStackFile(layout)?.id ? parsed.data : undefined;
}

/**
 * Status of what runs; undefined when nothing does. Throws `StackError` `stack.no-answer` where a
 * supervisor lives and does not answer, or answers in another language.
 */
export async function askRunning(layout: Layout): Promise<StackStatus | undefined> {
  const first = await askStatus(layout);
  const supervisor = first ? undefined : livingSupervisor(layout);
  if (!supervisor) return first;
  // One that began between the two questions answers now.
  const second = await askStatus(layout);
  if (!second) throw noAnswer(layout, supervisor);
  return second;
}

/** Asks the supervisor to end the stack; false when none runs. */
export async function askDown(layout: Layout): Promise<boolean> {
  if (!(await askStatus(layout))) return false;
  const response = await ask(layout, 'POST', '/down');
  await response?.body?.cancel();
  return response !== undefined;
}
