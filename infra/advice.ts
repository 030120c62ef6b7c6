import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import type { AccountSettings } from '../api/advice/account-provider.ts';
import type { AdviceSettings } from '../api/advice/advisor.ts';
import type { EndpointSettings } from '../api/advice/chat-endpoint.ts';
import { accountSchema, ruleSettingsSchema, TOLERANCE_POINTS } from '../core/advice/index.ts';
import { RatchetError } from '../core/errors.ts';
import { refuseUrl } from '../workers/reach.ts';
import { findConfigFile, invalidFile, readSection } from './config-file.ts';
import { environmentOf } from './config.ts';
import { projectConfigFile } from './webhooks.ts';

/** Both endpoints one after the other must answer within a minute, which is what clients wait. */
const TIMEOUT_S = { default: 15, max: 25 } as const;
const ACCOUNT_TIMEOUT_S = { default: 5, max: 8 } as const;

const variable = z
  .string()
  .regex(/^[A-Z][A-Z0-9_]*$/, 'the name of a variable, such as GROQ_API_KEY');

const reached = {
  url: z.url({ protocol: /^https?$/, error: 'an address: https://host/path' }),
  secretEnv: variable.optional().describe('Variable that holds its key.'),
  secretFile: z.string().min(1).optional().describe('File with its key, relative to this file.'),
  allowPrivate: z.boolean().default(false).describe('Networks of your own, and this machine.'),
  caFile: z.string().min(1).optional().describe('Certificates (PEM), relative to this file.'),
};

const oneSecret = [
  ({ secretEnv, secretFile }: { secretEnv?: unknown; secretFile?: unknown }): boolean =>
    secretEnv === undefined || secretFile === undefined,
  'secretEnv or secretFile, not both',
] as const;

const endpointSchema = z
  .strictObject({
    ...reached,
    model: z.string().regex(/^[\w.:/@-]{1,128}$/, 'the name of a language model'),
    timeoutS: z.int().min(1).max(TIMEOUT_S.max).default(TIMEOUT_S.default),
    jsonMode: z.boolean().default(true).describe('Ask for response_format: json_object.'),
    maxTokens: z.int().min(50).max(8_000).default(500),
  })
  .refine(...oneSecret);

const accountSourceSchema = z
  .strictObject({
    ...reached,
    url: reached.url.optional().describe('GET answers with the account.'),
    static: accountSchema.optional().describe('The account itself, in place of an address.'),
    timeoutS: z.int().min(1).max(ACCOUNT_TIMEOUT_S.max).default(ACCOUNT_TIMEOUT_S.default),
  })
  .refine(...oneSecret)
  .refine((of) => (of.url === undefined) !== (of.static === undefined), 'either static or url');

const adviceSchema = z
  .strictObject({
    advisor: endpointSchema.optional().describe('Asked for a size.'),
    checker: endpointSchema.optional().describe('Checks it; may be the same server.'),
    account: accountSourceSchema.optional(),
    rule: ruleSettingsSchema.prefault({}),
    tolerancePoints: z
      .number()
      .min(0)
      .max(TOLERANCE_POINTS.max)
      .default(TOLERANCE_POINTS.default)
      .describe('Percentage points that two answers may lie apart and still agree.'),
  })
  .refine(
    ({ advisor, checker }) => (advisor === undefined) === (checker === undefined),
    'advisor and checker go together: nobody decides unchecked',
  )
  .prefault({});

type Endpoint = z.output<typeof endpointSchema>;
type Reached = Pick<Endpoint, keyof typeof reached>;
type Secured = Omit<Reached, 'url'>;

/**
 * `advice` of ratchet.config.yaml. Keys are read where they are used: here only their place is known. Throws `config.file`
 * with the path of every wrong setting.
 */
export function loadAdvice(
  env?: NodeJS.ProcessEnv,
  file: string | undefined = findConfigFile(),
): AdviceSettings {
  const { advisor, checker, account, ...rest } = read(file);
  const at = (name: string) => ({ file: file ?? '', name, env });
  return {
    ...rest,
    models:
      advisor === undefined || checker === undefined
        ? undefined
        : {
            advisor: endpointOf(advisor, at('advisor')),
            checker: endpointOf(checker, at('checker')),
          },
    account: account && accountOf(account, at('account')),
  };
}

const read = (file: string | undefined): z.output<typeof adviceSchema> =>
  file === undefined ? adviceSchema.parse({}) : readSection(file, 'advice', adviceSchema);

interface At {
  readonly file: string;
  readonly name: string;
  readonly env: NodeJS.ProcessEnv | undefined;
}

function endpointOf(endpoint: Endpoint, at: At): EndpointSettings {
  const { model, jsonMode, maxTokens, timeoutS } = endpoint;
  const base = checkedUrl(endpoint, at);
  const url = new URL(base);
  url.pathname = `${base.pathname.replace(/\/+$/, '')}/chat/completions`;
  return { model, jsonMode, maxTokens, timeoutMs: timeoutS * 1000, ...reachOf(endpoint, at), url };
}

function accountOf(account: z.output<typeof accountSourceSchema>, at: At): AccountSettings {
  const { url: text, timeoutS } = account;
  if (account.static !== undefined) return { kind: 'static', account: account.static };
  // The schema has seen that there is one of the two.
  const url = checkedUrl({ ...account, url: text! }, at);
  return { kind: 'http', timeoutMs: timeoutS * 1000, ...reachOf(account, at), url };
}

function reachOf({ allowPrivate, caFile, secretEnv, secretFile }: Secured, at: At) {
  const path = (name: string): string => resolve(dirname(at.file), name);
  return {
    allowPrivate,
    ca: caFile === undefined ? undefined : readCertificates(path(caFile), caFile, at),
    secret: (): string | undefined => {
      if (secretFile !== undefined) return readFileSync(path(secretFile), 'utf8').trim();
      if (secretEnv === undefined) return undefined;
      const value = environmentOf([secretEnv], at.env)[secretEnv];
      if (value !== undefined) return value.trim();
      throw new RatchetError('advice.secret-missing', `${secretEnv} is not set`);
    },
  };
}

function checkedUrl(
  { url: text, allowPrivate }: Pick<Reached, 'url' | 'allowPrivate'>,
  { file, name }: At,
): URL {
  const url = new URL(text);
  const wrong =
    url.username !== '' || url.password !== ''
      ? 'no user and password in it: use secretFile or secretEnv'
      : refuseUrl({ url, allowPrivate, refusal: 'exchange.address' })?.message;
  if (wrong === undefined) return url;
  throw invalidFile(file, [{ path: [name, 'url'], message: wrong }], ['advice']);
}

function readCertificates(path: string, caFile: string, { file, name }: At): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    const message = `${caFile} cannot be read`;
    throw invalidFile(file, [{ path: [name, 'caFile'], message }], ['advice']);
  }
}

/**
 * Variables with keys for the API of the local stack, which asks. Throws `advice.secret-missing` for one that is not set:
 * `ratchet up` says it before anything starts.
 */
export function adviceEnvironment(
  env?: NodeJS.ProcessEnv,
  file: string | undefined = projectConfigFile(),
): Record<string, string> {
  const { advisor, checker, account } = read(file);
  return secretsOf([advisor, checker, account], env);
}

/** Those of the two endpoints alone, for the worker that asks them in backtests. */
export function endpointEnvironment(
  env?: NodeJS.ProcessEnv,
  file: string | undefined = projectConfigFile(),
): Record<string, string> {
  const { advisor, checker } = read(file);
  return secretsOf([advisor, checker], env);
}

function secretsOf(
  all: readonly (Pick<Reached, 'secretEnv'> | undefined)[],
  env: NodeJS.ProcessEnv | undefined,
): Record<string, string> {
  const names = all.flatMap((of) => (of?.secretEnv === undefined ? [] : [of.secretEnv]));
  const found = environmentOf(names, env);
  const missing = names.find((name) => found[name] === undefined);
  if (missing === undefined) return found;
  throw new RatchetError(
    'advice.secret-missing',
    `${missing} is not set, and advice in ratchet.config.yaml names it`,
  );
}
