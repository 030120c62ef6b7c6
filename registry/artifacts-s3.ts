import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { Client } from 'minio';
import { kept } from '../core/kept.ts';
import {
  ARTIFACT_BYTES_MAX,
  ArtifactError,
  checkedDigest,
  isDigest,
  isPlainOf,
  missing,
  referenceTo,
  verified,
} from './artifact-content.ts';
import type { ArtifactStore } from './artifact-store.ts';
import { isWhole, sealingWith, type Sealing } from './artifacts-encrypted.ts';

export interface S3Settings {
  /** `http://host:port`, or https. */
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly bucket: string;
}

/** A server that says nothing for this long is taken as gone. */
const SILENCE_MAX_MS = 20_000;
/** Connections to the server at once; more wait. */
const SOCKETS_MAX = 16;

/** Artifacts as objects `cas/<sha256>` of one bucket, which is made at the first use. */
export function openS3Store(
  settings: S3Settings,
  sealing: Sealing = sealingWith(undefined),
  load: () => Promise<Library> = () => import('minio'),
): ArtifactStore {
  const { bucket } = settings;
  // Here, so that a wrong address is told at the start.
  const url = new URL(settings.endpoint);
  // Its library is loaded at the first use: a replica with all its packages on its disk needs none.
  const client = kept(async () => connect(await load(), url, settings));
  /** The client once the bucket is there. */
  const ready = kept(async () => ensureBucket(await client(), bucket));
  const read = async (sha256: string): Promise<Buffer> => {
    const s3 = await ready();
    try {
      return await collect(await s3.getObject(bucket, `cas/${sha256}`));
    } catch (error) {
      if (codeOf(error) === 'NoSuchKey') throw missing(sha256, error);
      throw error;
    }
  };
  const exists = async (sha256: string): Promise<boolean> => {
    const s3 = await ready();
    try {
      await s3.statObject(bucket, `cas/${sha256}`);
      return true;
    } catch (error) {
      if (['NotFound', 'NoSuchKey'].includes(codeOf(error))) return false;
      throw error;
    }
  };
  return {
    kind: 's3',
    async put(bytes, rows) {
      const ref = referenceTo(bytes, rows);
      const s3 = await ready();
      const sealed = sealing.seal(bytes, ref.uri);
      const body = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
      const write = (headers: Record<string, string>): Promise<unknown> =>
        s3.putObject(bucket, ref.uri, body, body.length, headers);
      try {
        await write({ 'If-None-Match': '*' });
      } catch (error) {
        if (!(await isRefusal(error, () => exists(ref.sha256)))) throw error;
        // It is there already. Only bytes that rotted, or lie there otherwise encrypted, are written again.
        if (!isWhole(await read(ref.sha256), ref.sha256, sealing)) await write({});
      }
      return ref;
    },
    async get(ref) {
      const sha256 = checkedDigest(ref);
      return verified(sealing.open(await read(sha256), ref.uri, isPlainOf(sha256)), sha256);
    },
    async has(sha256) {
      if (!isDigest(sha256)) return false;
      return exists(sha256);
    },
    async ping() {
      await (await client()).bucketExists(bucket);
    },
  };
}

/**
 * Was an object not written because it is there? A server may say so and hang up before it has read a long
 * body, which then looks like a lost connection.
 */
async function isRefusal(error: unknown, exists: () => Promise<boolean>): Promise<boolean> {
  const code = codeOf(error);
  if (code === 'PreconditionFailed') return true;
  return ['ECONNRESET', 'EPIPE'].includes(code) && exists();
}

type Library = Pick<typeof import('minio'), 'Client'>;

function connect({ Client: S3Client }: Library, url: URL, settings: S3Settings): Client {
  const secure = url.protocol === 'https:';
  return new S3Client({
    endPoint: url.hostname,
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    useSSL: secure,
    accessKey: settings.accessKey,
    secretKey: settings.secretKey,
    region: 'us-east-1',
    pathStyle: true,
    // One PUT an artifact: a multipart upload has no `If-None-Match` and can stay half.
    partSize: ARTIFACT_BYTES_MAX,
    // The activity that asked is retried by Temporal; retries of retries multiply.
    retryOptions: { disableRetry: true },
    transportAgent: givingUp(
      secure
        ? new HttpsAgent({ keepAlive: true, maxSockets: SOCKETS_MAX })
        : new HttpAgent({ keepAlive: true, maxSockets: SOCKETS_MAX }),
    ),
  });
}

/** Ends connections on which nothing happens; minio itself would wait for ever. */
function givingUp<A extends HttpAgent>(agent: A): A {
  const create = agent.createConnection.bind(agent);
  agent.createConnection = (...args) => {
    const socket = create(...args) as Socket;
    socket.setTimeout(SILENCE_MAX_MS, () =>
      socket.destroy(new Error(`the S3 server was silent for ${SILENCE_MAX_MS / 1000} s`)),
    );
    return socket;
  };
  return agent;
}

async function ensureBucket(client: Client, bucket: string): Promise<Client> {
  if (await client.bucketExists(bucket)) return client;
  try {
    await client.makeBucket(bucket);
  } catch (error) {
    // Processes that start together both make it.
    if (!['BucketAlreadyOwnedByYou', 'BucketAlreadyExists'].includes(codeOf(error))) throw error;
  }
  return client;
}

async function collect(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ARTIFACT_BYTES_MAX) {
      stream.destroy();
      throw new ArtifactError('artifact.too-large', 'the object is larger than any artifact');
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}
