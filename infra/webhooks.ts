import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { CHOSEN_EVENTS, NEW_SECRET_COMMAND, parseWebhookSecrets } from '../core/alerts/index.ts';
import { RatchetError } from '../core/errors.ts';
import { NAME_PATTERN } from '../core/spec/spec.ts';
import { WEBHOOK_REFUSAL } from '../workers/guarded-post.ts';
import { refuseUrl } from '../workers/reach.ts';
import type { Webhook, WebhookSettings } from '../workers/webhooks.ts';
import { CONFIG_FILE, findConfigFile, invalidFile, readSection } from './config-file.ts';
import { environmentOf } from './config.ts';
import { projectRoot } from './project.ts';

/** Standard Webhooks recommends 15 to 30 s; the activity has a minute. */
const TIMEOUT_S = { default: 15, max: 30 } as const;

const address = z.url({ protocol: /^https?$/, error: 'an address: https://host/path' });

const webhookSchema = z.strictObject({
  url: address.describe('Where alerts are sent.'),
  secretEnv: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]*$/, 'the name of a variable, such as RATCHET_WEBHOOK_SECRET_OPS')
    .optional()
    .describe('Variable with the secret; default: RATCHET_WEBHOOK_SECRET_ and the name.'),
  events: z
    .array(z.enum(CHOSEN_EVENTS))
    .min(1)
    .default([...CHOSEN_EVENTS])
    .describe('Default: all.'),
  models: z.array(z.string().regex(NAME_PATTERN)).default([]).describe('Empty: all.'),
  allowPrivate: z.boolean().default(false).describe('Networks of your own, and this machine.'),
  timeoutS: z.int().min(1).max(TIMEOUT_S.max).default(TIMEOUT_S.default),
  caFile: z.string().min(1).optional().describe('Certificates (PEM), relative to this file.'),
});

const webhooksSchema = z
  .record(
    z.string().regex(NAME_PATTERN, 'lower case letters, digits, ".", "_", "-"'),
    webhookSchema,
  )
  .default({});

const variableOf = (name: string, { secretEnv }: z.output<typeof webhookSchema>): string =>
  secretEnv ?? `RATCHET_WEBHOOK_SECRET_${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`;

/**
 * The webhooks of ratchet.config.yaml with their secrets from the environment. Throws `config.file` with
 * the path of every wrong setting, `webhook.secret` for a variable that holds no secret. A variable that
 * is not set is no mistake here: only the worker that delivers is given the secrets.
 */
export function loadWebhooks(
  env?: NodeJS.ProcessEnv,
  file: string | undefined = findConfigFile(),
): WebhookSettings {
  if (file === undefined) return { webhooks: [], publicUrl: undefined };
  const webhooks = Object.entries(readSection(file, 'webhooks', webhooksSchema)).map(
    ([name, settings]) => webhookOf(file, name, settings, env),
  );
  const publicUrl = readSection(file, 'publicUrl', address.optional());
  return { webhooks, publicUrl: publicUrl?.replace(/\/+$/, '') };
}

function webhookOf(
  file: string,
  name: string,
  settings: z.output<typeof webhookSchema>,
  env: NodeJS.ProcessEnv | undefined,
): Webhook {
  const { events, models, allowPrivate, timeoutS, caFile } = settings;
  const secretEnv = variableOf(name, settings);
  const text = environmentOf([secretEnv], env)[secretEnv];
  return {
    ...{ name, events, models, allowPrivate, secretEnv },
    url: checkedUrl(file, name, settings),
    timeoutMs: timeoutS * 1000,
    ca: caFile === undefined ? undefined : readCertificates(file, name, caFile),
    secrets: text === undefined ? [] : parseWebhookSecrets(text, secretEnv),
  };
}

function checkedUrl(
  file: string,
  name: string,
  { url: text, allowPrivate }: z.output<typeof webhookSchema>,
): URL {
  const url = new URL(text);
  const wrong =
    url.username !== '' || url.password !== ''
      ? 'no user and password in it: the signature says who sends'
      : refuseUrl({ url, allowPrivate, refusal: WEBHOOK_REFUSAL })?.message;
  if (wrong === undefined) return url;
  throw invalidFile(file, [{ path: [name, 'url'], message: wrong }], ['webhooks']);
}

function readCertificates(file: string, name: string, caFile: string): string {
  try {
    return readFileSync(resolve(dirname(file), caFile), 'utf8');
  } catch {
    const message = `${caFile} cannot be read`;
    throw invalidFile(file, [{ path: [name, 'caFile'], message }], ['webhooks']);
  }
}

/**
 * Variables with secrets for the worker of the local stack, which delivers. Throws `webhook.secret-missing`
 * for one that is not set: `ratchet up` says it before anything starts.
 */
export function webhookEnvironment(
  env?: NodeJS.ProcessEnv,
  file: string | undefined = projectConfigFile(),
): Record<string, string> {
  const { webhooks } = loadWebhooks(env, file);
  const bare = webhooks.find(({ secrets }) => secrets.length === 0);
  if (bare) {
    throw new RatchetError(
      'webhook.secret-missing',
      `the webhook ${bare.name} needs a secret: set ${bare.secretEnv}; make one: ${NEW_SECRET_COMMAND}`,
    );
  }
  return environmentOf(
    webhooks.map(({ secretEnv }) => secretEnv),
    env,
  );
}

/** Our processes run in the project's folder: this is the file that they find. */
export function projectConfigFile(): string | undefined {
  const file = join(projectRoot, CONFIG_FILE);
  return existsSync(file) ? file : undefined;
}
