import { createHash } from 'node:crypto';
import type { Context } from 'hono';
import { HTTP } from './errors.ts';

/** Answers with a page that an activity stored, under a policy that lets it do nothing but be styled. */
export function sendStoredPage(c: Context, page: string, filename: string) {
  c.header('content-security-policy', policyOf(page));
  c.header('content-disposition', `inline; filename="${filename}"`);
  // The bytes never change, but a key that may read them can be revoked.
  c.header('cache-control', 'private, no-cache');
  return c.html(page, HTTP.ok);
}

/**
 * Content security policy of a stored page: no script, no request, no form, an origin of its own; the only style
 * is the block in the page's head, named by its digest. Whatever a name in the page holds, it stays text.
 */
export function policyOf(page: string): string {
  const style = /<style>([\s\S]*?)<\/style>/.exec(page)?.[1];
  const digest = createHash('sha256')
    .update(style ?? '')
    .digest('base64');
  return [
    "default-src 'none'",
    style === undefined ? "style-src 'none'" : `style-src 'sha256-${digest}'`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    'sandbox',
  ].join('; ');
}
