/**
 * A receiver of Ratchet's webhooks: checks the signature, refuses old messages, takes each alert once.
 *
 *   RATCHET_WEBHOOK_SECRET=whsec_... node examples/verify-webhook.mjs 9000
 *
 * The form is that of Standard Webhooks: its libraries (npm standardwebhooks, PyPI standardwebhooks, ...) do
 * the same in other languages.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';

/** Clocks may differ by this much; an older message may be a replay. */
const TOLERANCE_S = 5 * 60;

/**
 * The alert in a message, or an error that says why it is not one of ours.
 * @param {Record<string, string | undefined>} headers lower-case names
 * @param {string} body the bytes as they came: parsed and written again they would differ
 * @param {string} secret whsec_...
 * @param {number} nowS Unix seconds
 */
export function verifyWebhook(headers, body, secret, nowS = Math.floor(Date.now() / 1000)) {
  const id = headers['webhook-id'] ?? '';
  const timestamp = headers['webhook-timestamp'] ?? '';
  if (!/^\d+$/.test(timestamp) || Math.abs(nowS - Number(timestamp)) > TOLERANCE_S) {
    throw new Error('the message is too old, or a clock is wrong');
  }
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest();
  const signatures = (headers['webhook-signature'] ?? '').split(' ');
  const ours = signatures.some((text) => {
    const given = Buffer.from(text.replace(/^v1,/, ''), 'base64');
    return (
      text.startsWith('v1,') && given.length === expected.length && timingSafeEqual(given, expected)
    );
  });
  if (!ours) throw new Error('the signature is not that of this secret');
  return { id, alert: JSON.parse(body) };
}

/** A server that calls `onAlert` once for each alert, however often it is sent. */
export function receiver(secret, onAlert) {
  // A real receiver keeps the ids where they outlive a restart.
  const seen = new Set();
  const answer = async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) {
      body += chunk;
      if (body.length > 64 * 1024) return response.writeHead(413).end();
    }
    let message;
    try {
      message = verifyWebhook(request.headers, body, secret);
    } catch (error) {
      return response.writeHead(401).end(error.message);
    }
    if (!seen.has(message.id)) await onAlert(message.alert);
    seen.add(message.id);
    return response.writeHead(204).end();
  };
  return createServer((request, response) => {
    // A failure of `onAlert` is answered as one: the alert is sent again.
    answer(request, response).catch(() => response.writeHead(500).end());
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const secret = process.env.RATCHET_WEBHOOK_SECRET;
  if (!secret) throw new Error('set RATCHET_WEBHOOK_SECRET');
  const port = Number(process.argv[2] ?? 9000);
  const say = (text) => process.stdout.write(`${text}\n`);
  receiver(secret, ({ type, data }) => say(`${type}: ${data.words}`)).listen(port, '127.0.0.1');
  say(`waiting for alerts on http://127.0.0.1:${port}`);
}
