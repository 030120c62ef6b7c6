/** The whole product as a user meets it: the built processes on a state folder of the test's own. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { projectRoot } from '../../infra/project.ts';
import { startStack } from '../../infra/stack.ts';
import type { Stack, StackPart } from '../../infra/stack.ts';

export const productMissing: string | false = existsSync(join(projectRoot, 'dist/build.json'))
  ? false
  : 'dist/ is not built: npm run build';

/** A small experiment that still goes every step: one narrow network, two epochs, one instrument. */
export const smallSpec = {
  name: 'small',
  model: 'small',
  data: {
    sources: [{ dataset: 'sp500-daily' }],
    instruments: ['^GSPC'],
    from: '2006-01-01',
  },
  lookback: 20,
  label: { kind: 'forwardLogReturn', horizons: [1, 5] },
  scaling: { features: 'standard', labels: 'standard' },
  hyperparameters: { units: [8, 8], dense: [8], branch: 4, epochs: 2, lossWeights: [0.5, 0.5] },
  seeds: [1],
};

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly headers: Headers;
}

export interface ExperimentEnd {
  readonly id: string;
  readonly status: string;
  readonly message: string;
}

export interface Product {
  readonly stack: Stack;
  readonly url: string;
  readonly key: string;
  request(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>;
  /** Starts an experiment and waits for its end. */
  run(spec: unknown): Promise<ExperimentEnd>;
  start(spec: unknown): Promise<string>;
  /** Waits until `look` gives something; fails after `limitMs` with what was waited for. */
  until<T>(what: string, look: () => Promise<T | undefined>, limitMs?: number): Promise<T>;
  cli(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }>;
  /** Ends every process and removes the state. */
  end(): Promise<void>;
}

export async function startProduct(parts?: readonly StackPart[]): Promise<Product> {
  const stateDir = mkdtempSync(join(tmpdir(), 'ratchet-product-'));
  const stack = await startStack({ stateDir, ...(parts ? { parts } : {}) });
  return productOf(stack, stateDir);
}

/** A product on a stack that runs already. */
export function productOf(stack: Stack, stateDir: string): Product {
  const url = stack.status().parts.find((part) => part.name === 'api')?.url ?? '';
  const key = readFileSync(join(stateDir, 'keys/admin.key'), 'utf8').trim();
  const request: Product['request'] = async (method, path, body, headers) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const json = /[/+]json/.test(response.headers.get('content-type') ?? '') && text !== '';
    return {
      status: response.status,
      body: (json ? JSON.parse(text) : { text }) as Record<string, unknown>,
      headers: response.headers,
    };
  };
  const start = async (spec: unknown): Promise<string> => {
    const created = await request('POST', '/api/v1/experiments', spec, {
      'idempotency-key': randomUUID(),
    });
    assert.ok(created.status < 300, `${created.status} ${JSON.stringify(created.body)}`);
    return String(created.body['id']);
  };
  return {
    stack,
    url,
    key,
    request,
    start,
    until,
    run: async (spec) => {
      const id = await start(spec);
      return until(`the end of experiment ${id}`, async () => {
        const { body } = await request('GET', `/api/v1/experiments/${id}`);
        const end = body as unknown as ExperimentEnd;
        return ['queued', 'running'].includes(end.status) ? undefined : end;
      });
    },
    cli: (...args) => runCli(stateDir, args),
    end: async () => {
      await stack.stop();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

/** Long enough for a training on busy cores. */
const LIMIT_MS = 180_000;
const LOOK_EVERY_MS = 200;

/** Looks again and again; fails after `limitMs` with what was waited for. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined>,
  limitMs = LIMIT_MS,
): Promise<T> {
  const end = performance.now() + limitMs;
  while (performance.now() < end) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(LOOK_EVERY_MS);
  }
  throw new Error(`waited ${limitMs / 1000} s for ${what}`);
}

/** `ratchet ARGS` on that state folder. */
export function runCli(
  stateDir: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [join(projectRoot, 'bin/ratchet.mjs'), ...args], {
    cwd: projectRoot,
    env: { ...process.env, RATCHET_STATE: stateDir, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
}
