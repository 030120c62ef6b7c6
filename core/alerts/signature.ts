import { createHmac } from 'node:crypto';
import { RatchetError } from '../errors.ts';

/**
 * Signatures of webhooks in the form of Standard Webhooks (standardwebhooks.com,
 * github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md), so that its libraries,
 * which exist for most languages, verify ours.
 */

const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;
const SECRET_BYTES = { min: 24, max: 64 } as const;

export const NEW_SECRET_COMMAND = `node -p "'whsec_' + crypto.randomBytes(32).toString('base64')"`;

/**
 * The secrets of a variable: one, or two with a space between them while receivers change over.
 * Throws `webhook.secret` without a word of the text itself.
 */
export function parseWebhookSecrets(text: string, where: string): readonly Uint8Array[] {
  const words = text.trim().split(/\s+/);
  return words.map((word) => {
    const bytes = Buffer.from(SECRET.exec(word)?.[1] ?? '', 'base64');
    if (bytes.length >= SECRET_BYTES.min && bytes.length <= SECRET_BYTES.max) return bytes;
    throw new RatchetError(
      'webhook.secret',
      `${where} must hold whsec_ and ${SECRET_BYTES.min} to ${SECRET_BYTES.max} random bytes in base64; make one: ${NEW_SECRET_COMMAND}`,
    );
  });
}

/**
 * The three headers of one attempt.
 *
 * Formula: `v1,` base64(HMAC-SHA256(secret, id `.` timestamp `.` body)), one for each secret, spaces
 * between them. Neither id nor timestamp may hold a full stop.
 *
 * @param timestampS Unix seconds of this attempt: receivers refuse old ones, which ends replays
 */
export function signatureHeaders(
  message: { readonly id: string; readonly timestampS: number; readonly body: string },
  secrets: readonly Uint8Array[],
): Readonly<Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string>> {
  const { id, timestampS, body } = message;
  if (id.includes('.') || !Number.isInteger(timestampS)) {
    throw new RatchetError('webhook.message', 'an id without full stops and whole seconds, please');
  }
  const signed = `${id}.${timestampS}.${body}`;
  const signatures = secrets.map(
    (secret) => `v1,${createHmac('sha256', secret).update(signed).digest('base64')}`,
  );
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestampS),
    'webhook-signature': signatures.join(' '),
  };
}
