import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { RatchetError } from '../../core/errors.ts';
import { guardedPost, type GuardedPost } from '../../workers/guarded-post.ts';
import type { Resolve } from '../../workers/reach.ts';
import { openReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';

let receiver: WebhookReceiver;
before(async () => {
  receiver = await openReceiver();
});
after(() => receiver.close());
beforeEach(() => receiver.react(204));

const post = (change: Partial<GuardedPost> & { readonly to?: string } = {}) => {
  const { to = receiver.url, ...rest } = change;
  return guardedPost({
    ...{ url: new URL(to), headers: {}, body: '{}', timeoutMs: 5_000, allowPrivate: true },
    ...rest,
  });
};

const fails = (sent: Promise<unknown>, code: string, permanent: boolean): Promise<void> =>
  assert.rejects(sent, (error) => {
    assert.ok(error instanceof RatchetError, String(error));
    assert.deepEqual([error.code, error.permanent], [code, permanent], error.message);
    return true;
  });
const refused = (sent: Promise<unknown>): Promise<void> => fails(sent, 'webhook.address', true);
const unanswered = (sent: Promise<unknown>): Promise<void> =>
  fails(sent, 'webhook.no-answer', false);

/** A name server that answers by a script and counts. */
function names(...answers: readonly (readonly string[])[]): Resolve & { asked: number } {
  const resolve = (_name: string, done: Parameters<Resolve>[1]): void => {
    const answer = answers[Math.min(resolve.asked, answers.length - 1)] ?? [];
    resolve.asked += 1;
    done(
      null,
      answer.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  };
  resolve.asked = 0;
  return resolve;
}

describe('where a webhook may lead', () => {
  const literal = [
    'https://127.0.0.1/',
    'https://[::1]/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://0177.0.0.1/',
    'https://10.1.2.3/',
    'https://[::ffff:10.1.2.3]/',
    'https://[fd12::1]/',
  ];
  it('not to this machine or a private network, however it is written', async () => {
    const before = receiver.connections();
    for (const to of literal) await refused(post({ to, allowPrivate: false }));
    await refused(post({ allowPrivate: false }));
    assert.equal(receiver.connections(), before);
  });

  it('never to metadata services, link-local or reserved addresses, whatever is allowed', async () => {
    for (const host of ['169.254.169.254', '[fd00:ec2::254]', '[fe80::1]', '0.0.0.0', '[::]']) {
      await refused(post({ to: `https://${host}/latest/meta-data/` }));
    }
  });

  it('without TLS to this machine only, and only where that is allowed', async () => {
    await refused(post({ to: 'http://192.168.1.1/' }));
    await refused(post({ to: 'http://8.8.8.8/' }));
    await refused(post({ to: 'ftp://127.0.0.1/' }));
    const resolve = names(['192.168.1.1']);
    await refused(post({ to: 'http://inside.example/', resolve }));
    assert.equal((await post()).status, 204);
  });

  it('not by a name that leads inside, not even by one of its addresses', async () => {
    const before = receiver.connections();
    const to = `https://innocent.example:${receiver.port}/`;
    const inside = [
      ['127.0.0.1'],
      ['8.8.8.8', '127.0.0.1'],
      ['::ffff:127.0.0.1'],
      ['169.254.169.254'],
    ];
    for (const answer of inside) {
      await refused(post({ to, allowPrivate: false, resolve: names(answer) }));
    }
    await refused(post({ to, resolve: names(['127.0.0.1', '169.254.169.254']) }));
    assert.equal(receiver.connections(), before);
  });

  it('to the address that was checked: the name is asked once (no rebinding)', async () => {
    const resolve = names(['127.0.0.1'], ['169.254.169.254']);
    const to = `http://own.example:${receiver.port}/hook`;
    assert.equal((await post({ to, resolve })).status, 204);
    assert.equal(resolve.asked, 1);
    assert.equal(receiver.posts.at(-1)?.headers.host, `own.example:${receiver.port}`);
    // The next attempt asks again, and is refused.
    await refused(post({ to, resolve }));
  });

  it('not where a redirect says', async () => {
    const elsewhere = await openReceiver();
    receiver.react((response) => {
      response.writeHead(307, { location: elsewhere.url }).end();
    });
    assert.equal((await post()).status, 307);
    receiver.react((response) => {
      response.writeHead(302, { location: 'http://169.254.169.254/latest/' }).end();
    });
    assert.equal((await post()).status, 302);
    assert.equal(elsewhere.connections(), 0);
    await elsewhere.close();
  });
});

describe('a bad receiver', () => {
  it('that is slow is left when the time is up', async () => {
    receiver.react(() => undefined);
    await unanswered(post({ timeoutMs: 200 }));
    // Headers that trickle in are no answer either.
    receiver.react((response) => {
      response.socket?.write('HTTP/1.1 200 OK\r\nx-a: ');
    });
    await unanswered(post({ timeoutMs: 200 }));
  });

  it('that answers without end is left; its status counts', async () => {
    let closed: () => void = () => undefined;
    const left = new Promise<void>((resolve) => (closed = resolve));
    let written = 0;
    receiver.react((response) => {
      response.writeHead(200);
      const chunk = Buffer.alloc(64 * 1024);
      const more = (): void => {
        do written += chunk.length;
        while (!response.destroyed && response.write(chunk));
      };
      response.on('drain', more).on('close', closed);
      more();
    });
    assert.equal((await post()).status, 200);
    await left;
    // A few buffers of the kernel's; read to the end of the time it would be hundreds of MiB.
    assert.ok(written < 32 * 1024 * 1024, `${written} bytes`);
  });

  it('that sends huge headers is not listened to', async () => {
    receiver.react((response) => {
      response.writeHead(200, { 'x-huge': 'x'.repeat(100_000) }).end();
    });
    await unanswered(post());
  });

  it('that is not there, hangs up, or has no name is tried again later', async () => {
    const gone = await openReceiver();
    await gone.close();
    await unanswered(post({ to: gone.url }));
    receiver.react((response) => {
      response.destroy();
    });
    await unanswered(post());
    await unanswered(post({ to: 'https://nowhere.invalid/', resolve: names([]) }));
  });

  it('is named by its host only: a path may hold a token', async () => {
    receiver.react((response) => {
      response.destroy();
    });
    const sent = post({ to: `${receiver.url}/services/T0/SECRET?token=SECRET` });
    await assert.rejects(sent, (error: Error) => !error.message.includes('SECRET'));
  });
});

const openssl = spawnSync('openssl', ['version']).status === 0;
describe('with TLS', { skip: openssl ? false : 'no openssl here to make a certificate' }, () => {
  it('trusts the certificates of the setting and no others, for the name that was asked', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ratchet-tls-'));
    const file = (name: string): string => join(folder, name);
    const made = spawnSync('openssl', [
      ...[
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-days',
        '2',
        '-subj',
        '/CN=own.example',
      ],
      ...['-addext', 'subjectAltName=DNS:own.example'],
      ...['-keyout', file('key.pem'), '-out', file('cert.pem')],
    ]);
    assert.equal(made.status, 0, String(made.stderr));
    const cert = readFileSync(file('cert.pem'), 'utf8');
    const tls = await openReceiver({ key: readFileSync(file('key.pem'), 'utf8'), cert });
    const to = `https://own.example:${tls.port}/`;
    const resolve = names(['127.0.0.1']);
    assert.equal((await post({ to, resolve, ca: cert })).status, 204);
    await unanswered(post({ to, resolve }));
    await unanswered(post({ to: `https://other.example:${tls.port}/`, resolve, ca: cert }));
    assert.equal(tls.posts.length, 1);
    await tls.close();
    rmSync(folder, { recursive: true });
  });
});
