import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { generateSigningKeys } from '../../core/packages/signature.ts';
import { newKeyToken } from '../../registry/keys.ts';
import { FACTS } from '../support/advice-facts.ts';
import { eventually } from '../support/api-fixture.ts';
import { errorObject, openChatServer, raw, sizeOf, verdictOf } from '../support/chat-server.ts';
import type { ChatServer } from '../support/chat-server.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { freePort } from '../support/server-process.ts';

const root = join(import.meta.dirname, '../..');
const SECRETS = { env: 'sk-from-env-0001', file: 'sk-from-file-0002', broker: 'broker-key-0003' };

describe('advice of a process with a configuration', () => {
  const key = newKeyToken();
  let database: TestDatabase;
  let folder: string;
  let servers: ChatServer[];
  let url: string;
  let child: ChildProcess;
  let log = '';

  before(async () => {
    database = await openTestDatabase();
    folder = await mkdtemp(join(tmpdir(), 'ratchet-advice-'));
    servers = await Promise.all([openChatServer(), openChatServer(), openChatServer()]);
    const [advisor, checker, broker] = servers as [ChatServer, ChatServer, ChatServer];
    const files = {
      'verify.pem': generateSigningKeys().publicPem,
      'admin.key': key,
      'checker.key': SECRETS.file,
      'ratchet.config.yaml': `advice:
  advisor: { url: "${advisor.base}", model: first, allowPrivate: true, secretEnv: ADVISOR_KEY }
  checker: { url: "${checker.base}/", model: second, allowPrivate: true, secretFile: checker.key }
  account: { url: "${broker.url}/account", allowPrivate: true, secretEnv: BROKER_KEY }
`,
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    child = spawn(
      process.execPath,
      ['--import', import.meta.resolve('tsx'), join(root, 'api/server.ts')],
      {
        cwd: folder,
        stdio: ['pipe', 'pipe', 'pipe'],
        env: {
          ...process.env,
          RATCHET_STATE: folder,
          RATCHET_LOG_LEVEL: 'debug',
          RATCHET_DATABASE_URL: database.url,
          RATCHET_TEMPORAL_ADDRESS: '127.0.0.1:1',
          RATCHET_API_PORT: String(port),
          RATCHET_VERIFY_KEY_FILE: join(folder, 'verify.pem'),
          RATCHET_ADMIN_KEY_FILE: join(folder, 'admin.key'),
          ...{ ADVISOR_KEY: SECRETS.env, BROKER_KEY: SECRETS.broker },
        },
      },
    );
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on('data', (chunk: Buffer) => (log += chunk.toString('utf8')));
    }
    const isLive = (): Promise<boolean> =>
      fetch(`${url}/livez`).then(
        (response) => response.ok,
        () => false,
      );
    await eventually('the API answers', isLive, 60_000);
  });
  after(async () => {
    child.kill('SIGKILL');
    await once(child, 'exit');
    await Promise.all([...servers.map((server) => server.close()), database.close()]);
    await rm(folder, { recursive: true, force: true });
  });

  const ask = async () => {
    const { signal, market } = FACTS;
    const response = await fetch(`${url}/api/v1/advice`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ facts: { signal, market }, instrument: '^GSPC' }),
    });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    return { text, body: JSON.parse(text) as Record<string, unknown> };
  };

  it('asks whom the file names, each with its own key, and keeps none of them', async () => {
    const [advisor, checker, broker] = servers as [ChatServer, ChatServer, ChatServer];
    advisor.react(sizeOf(40));
    checker.react(verdictOf('agree', 45));
    broker.react(raw(JSON.stringify({ equity: 100, cash: 50, positions: { '^GSPC': 50 } })));
    const agreed = await ask();
    assert.deepEqual([agreed.body['size'], agreed.body['reason']], [0.4, 'agreed']);
    const keyOf = (server: ChatServer) => server.posts.at(-1)?.headers.authorization;
    assert.deepEqual(servers.map(keyOf), [
      `Bearer ${SECRETS.env}`,
      `Bearer ${SECRETS.file}`,
      `Bearer ${SECRETS.broker}`,
    ]);

    advisor.react(sizeOf(40, `they sent me ${SECRETS.env}`));
    checker.react(errorObject(401, `Incorrect API key provided: ${SECRETS.file}`));
    const failed = await ask();
    assert.equal(failed.body['reason'], 'checker-failed');
    broker.react(errorObject(403, `no ${SECRETS.broker}`));
    const alone = await ask();
    assert.deepEqual([alone.body['size'], alone.body['reason']], [0.05, 'account-failed']);

    const rows = await database.db.selectFrom('position_advice').selectAll().execute();
    assert.equal(rows.length, 3);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    await eventually('the log tells of the last one', () => log.includes('without an account'));
    const said = [JSON.stringify(rows), metrics, log, agreed.text, failed.text, alone.text];
    for (const secret of Object.values(SECRETS)) assert.ok(!said.join('\n').includes(secret));
    assert.match(log, /an endpoint gave no advice/);
    assert.doesNotMatch(log, /they sent me/);
  });
});
