/** The only reader of process.env. Everything else gets a `Config`. */
import { resolve } from 'node:path';
import { z } from 'zod';

const url = z.string().min(1);
const schema = z.object({
  RATCHET_STATE: z.string().default('.ratchet'),
  RATCHET_DATA: z.string().optional(),
  RATCHET_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  RATCHET_TEMPORAL_ADDRESS: z.string().default('127.0.0.1:7233'),
  RATCHET_TEMPORAL_NAMESPACE: z.string().default('default'),
  RATCHET_DATABASE_URL: url.optional(),
  RATCHET_S3_ENDPOINT: z.string().optional(),
  RATCHET_S3_ACCESS_KEY: z.string().optional(),
  RATCHET_S3_SECRET_KEY: z.string().optional(),
  RATCHET_S3_BUCKET: z.string().default('ratchet'),
  RATCHET_MLFLOW_URL: z.string().optional(),
  RATCHET_API_HOST: z.string().default('127.0.0.1'),
  RATCHET_API_PORT: z.coerce.number().int().min(0).max(65_535).default(0),
  RATCHET_REPLICA: z
    .string()
    .regex(/^[a-z0-9-]{1,64}$/)
    .optional(),
  RATCHET_METRICS_PORT: z.coerce.number().int().min(0).max(65_535).default(0),
  RATCHET_TRAINING_SLOTS: z.coerce.number().int().min(1).max(64).default(2),
  RATCHET_OPEN_MODELS: z.coerce.number().int().min(1).max(10_000).optional(),
  RATCHET_REMEMBERED_ANSWERS: z.coerce.number().int().min(0).max(1_000_000).optional(),
  RATCHET_SIGNING_KEY_FILE: z.string().optional(),
  RATCHET_VERIFY_KEY_FILE: z.string().optional(),
  RATCHET_ADMIN_KEY_FILE: z.string().optional(),
  RATCHET_PACKAGE_KEY_FILE: z.string().min(1).optional(),
  RATCHET_PACKAGE_KEYS: z.string().min(1).optional(),
  RATCHET_PACKAGE_ENCRYPTION: z.enum(['on', 'off']).default('off'),
  RATCHET_URL: z.string().optional(),
  RATCHET_API_KEY: z.string().optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.string().optional(),
});

export interface Config {
  /** Folder of all local state (0700). */
  readonly stateDir: string;
  /** Folder of bar files the bundled dataset names fall back to. */
  readonly dataDir: string | undefined;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly temporal: { readonly address: string; readonly namespace: string };
  readonly databaseUrl: string | undefined;
  /** Absent: artifacts live in a directory of the state folder. */
  readonly s3:
    | {
        readonly endpoint: string;
        readonly accessKey: string;
        readonly secretKey: string;
        readonly bucket: string;
      }
    | undefined;
  readonly mlflowUrl: string | undefined;
  readonly api: {
    readonly host: string;
    readonly port: number;
    /** Names the folder of this replica's state; absent: its port does. */
    readonly replica: string | undefined;
  };
  readonly metricsPort: number;
  readonly trainingSlots: number;
  /** Models of a replica whose packages are open at once; absent: OPEN_MODELS_DEFAULT of api/serving. */
  readonly openModels: number | undefined;
  /** Forecasts that a replica remembers; 0: each request computes its own. Absent: REMEMBERED_DEFAULT of api/serving. */
  readonly rememberedAnswers: number | undefined;
  readonly otlpEndpoint: string | undefined;
  /** Files of keys; each process is given only those it needs. */
  readonly keyFiles: {
    /** Ed25519 private key (PKCS8 PEM) that signs manifests: workers only. */
    readonly signing: string | undefined;
    /** Ed25519 public key (SPKI PEM) that verifies them: API and workers. */
    readonly verify: string | undefined;
    /** Secret of the admin API key, which the API registers at its start. */
    readonly admin: string | undefined;
  };
  /** Keys that encrypt artifacts at rest: a file of them, or themselves; neither: nothing is encrypted. */
  readonly packageKeySource: {
    readonly file: string | undefined;
    readonly text: string | undefined;
  };
  /** Should `ratchet up` make such a key where there is none? */
  readonly makePackageKey: boolean;
  /** What the command line talks to when it is not the local stack. */
  readonly remote: { readonly url: string | undefined; readonly apiKey: string | undefined };
}

/** Reads and checks the environment; throws a ZodError that names each bad variable. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const e = schema.parse(env);
  return {
    stateDir: resolve(e.RATCHET_STATE),
    dataDir: e.RATCHET_DATA ? resolve(e.RATCHET_DATA) : undefined,
    logLevel: e.RATCHET_LOG_LEVEL,
    temporal: { address: e.RATCHET_TEMPORAL_ADDRESS, namespace: e.RATCHET_TEMPORAL_NAMESPACE },
    databaseUrl: e.RATCHET_DATABASE_URL,
    s3:
      e.RATCHET_S3_ENDPOINT && e.RATCHET_S3_ACCESS_KEY && e.RATCHET_S3_SECRET_KEY
        ? {
            endpoint: e.RATCHET_S3_ENDPOINT,
            accessKey: e.RATCHET_S3_ACCESS_KEY,
            secretKey: e.RATCHET_S3_SECRET_KEY,
            bucket: e.RATCHET_S3_BUCKET,
          }
        : undefined,
    mlflowUrl: e.RATCHET_MLFLOW_URL,
    api: { host: e.RATCHET_API_HOST, port: e.RATCHET_API_PORT, replica: e.RATCHET_REPLICA },
    metricsPort: e.RATCHET_METRICS_PORT,
    trainingSlots: e.RATCHET_TRAINING_SLOTS,
    openModels: e.RATCHET_OPEN_MODELS,
    rememberedAnswers: e.RATCHET_REMEMBERED_ANSWERS,
    otlpEndpoint: e.OTEL_EXPORTER_OTLP_ENDPOINT,
    keyFiles: {
      signing: e.RATCHET_SIGNING_KEY_FILE,
      verify: e.RATCHET_VERIFY_KEY_FILE,
      admin: e.RATCHET_ADMIN_KEY_FILE,
    },
    packageKeySource: { file: e.RATCHET_PACKAGE_KEY_FILE, text: e.RATCHET_PACKAGE_KEYS },
    makePackageKey: e.RATCHET_PACKAGE_ENCRYPTION === 'on',
    remote: { url: e.RATCHET_URL?.replace(/\/+$/, ''), apiKey: e.RATCHET_API_KEY },
  };
}

/** These variables of the environment, where they are set: all that a child process inherits. */
export function environmentOf(
  names: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])),
  );
}
