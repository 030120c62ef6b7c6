import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { NO_ADVICE } from '../../api/advice/advisor.ts';
import { RatchetError } from '../../core/errors.ts';
import { adviceEnvironment, endpointEnvironment, loadAdvice } from '../../infra/advice.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ratchet-advice-'));
});
after(() => rm(folder, { recursive: true }));

let files = 0;
async function write(yaml: string): Promise<string> {
  const file = join(folder, `config-${++files}.yaml`);
  await writeFile(file, yaml);
  return file;
}
const fails = (work: () => unknown, code: string, text: RegExp): void =>
  assert.throws(work, (error) => {
    assert.ok(error instanceof RatchetError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, text);
    return true;
  });

const ENDPOINTS = `
  advisor: { url: https://api.groq.com/openai/v1/, model: llama-3.3-70b-versatile, secretEnv: GROQ_API_KEY }
  checker: { url: "http://127.0.0.1:11434/v1", model: "llama3.1:8b", allowPrivate: true, jsonMode: false, timeoutS: 20 }`;

test('without a section, or a file, the rule decides', async () => {
  assert.deepEqual(loadAdvice({}, undefined), NO_ADVICE);
  assert.deepEqual(loadAdvice({}, await write('publicUrl: https://a.example')), NO_ADVICE);
});

test('two endpoints, an account and the rule are read; keys only when they are used', async () => {
  const file = await write(`advice:${ENDPOINTS}
  tolerancePoints: 10
  rule: { targetVolatility: 0.4 }
  account: { url: https://broker.example/account, secretFile: broker.key }`);
  const env: Record<string, string> = {};
  const { models, account, rule, tolerancePoints } = loadAdvice(env, file);
  const { secret, ...advisor } = models!.advisor;
  assert.deepEqual(advisor, {
    ...{ url: new URL('https://api.groq.com/openai/v1/chat/completions'), ca: undefined },
    ...{ model: 'llama-3.3-70b-versatile', timeoutMs: 15_000, allowPrivate: false },
    ...{ jsonMode: true, maxTokens: 500 },
  });
  assert.equal(models!.checker.url.href, 'http://127.0.0.1:11434/v1/chat/completions');
  assert.deepEqual([models!.checker.timeoutMs, models!.checker.jsonMode], [20_000, false]);
  assert.equal(models!.checker.secret(), undefined);
  assert.deepEqual([rule.targetVolatility, rule.drawdownLimit, tolerancePoints], [0.4, 0.2, 10]);
  fails(secret, 'advice.secret-missing', /GROQ_API_KEY/);
  env['GROQ_API_KEY'] = ' gsk_1\n';
  assert.equal(secret(), 'gsk_1');
  assert.ok(account?.kind === 'http');
  assert.throws(account.secret, /ENOENT/);
  await writeFile(join(folder, 'broker.key'), 'one\n');
  assert.equal(account.secret(), 'one');
  await writeFile(join(folder, 'broker.key'), 'two\n');
  assert.equal(account.secret(), 'two', 'a key that changed needs no restart');
});

test('an account may stand in the file', async () => {
  const { account } = loadAdvice(
    {},
    await write(
      'advice: { account: { static: { equity: 10000, cash: 9000, positions: { ^GSPC: 1000 } } } }',
    ),
  );
  assert.deepEqual(account, {
    kind: 'static',
    account: { equity: 10_000, cash: 9_000, positions: { '^GSPC': 1_000 } },
  });
});

const pair = (change: string): string =>
  `advice:
  advisor: { url: "https://a.example/v1", model: a }
  checker: { url: "https://b.example/v1", model: b${change} }`;
const WRONG: readonly (readonly [string, string, RegExp])[] = [
  [
    'one endpoint alone',
    'advice: { advisor: { url: "https://a.example", model: a } }',
    /unchecked/,
  ],
  ['an unknown setting', pair(', retries: 3'), /advice\.checker.*retries/],
  ['two places of a key', pair(', secretEnv: A, secretFile: a'), /not both/],
  ['a key in place of its variable', pair(', secretEnv: sk-123'), /secretEnv.*name of a variable/],
  ['text for a model', pair(', model: "say 100 please"').replace('model: b, ', ''), /model/],
  ['too long a wait', pair(', timeoutS: 60'), /timeoutS/],
  ['http to elsewhere', pair('').replace('https://b', 'http://b'), /checker\.url.*only https/],
  ['a private address', pair('').replace('b.example', '10.0.0.1'), /allowPrivate/],
  ['a password', pair('').replace('b.example', 'u:p@b.example'), /no user and password/],
  ['a certificate that is not there', pair(', caFile: no.pem'), /caFile.*cannot be read/],
  ['no account', 'advice: { account: {} }', /either static or url/],
  [
    'two accounts',
    'advice: { account: { url: "https://a.example", static: { equity: 1, cash: 1 } } }',
    /either/,
  ],
  ['a tolerance of everything', 'advice: { tolerancePoints: 100 }', /tolerancePoints/],
];
for (const [what, yaml, told] of WRONG) {
  test(`refuses ${what}`, async () => {
    const file = await write(yaml);
    fails(() => loadAdvice({}, file), 'config.file', told);
  });
}

test('the stack hands on the variables that are named, and says which one is missing', async () => {
  const file = await write(`advice:${ENDPOINTS}`);
  assert.deepEqual(adviceEnvironment({ GROQ_API_KEY: 'k', OTHER: 'x' }, file), {
    GROQ_API_KEY: 'k',
  });
  fails(() => adviceEnvironment({}, file), 'advice.secret-missing', /GROQ_API_KEY is not set/);
  assert.deepEqual(adviceEnvironment({}, await write('')), {});
});

test('the worker that runs backtests is handed the keys of endpoints, and not that of the account', async () => {
  const account = 'account: { url: https://broker.example/account, secretEnv: BROKER_KEY }';
  const file = await write(`advice:${ENDPOINTS}\n  ${account}\n`);
  const env = { GROQ_API_KEY: 'k', BROKER_KEY: 'b' };
  assert.deepEqual(adviceEnvironment(env, file), env);
  assert.deepEqual(endpointEnvironment(env, file), { GROQ_API_KEY: 'k' });
});
