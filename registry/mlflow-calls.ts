import { z } from 'zod';
import { MlflowError, type MlflowTransport } from './mlflow-http.ts';

/** MLflow's limit. */
export const TAG_CHARS_MAX = 5_000;

export type Tags = Readonly<Record<string, string>>;
/** As MLflow takes them, cut to what it takes. */
export const listOf = (tags: Tags, maxChars: number) =>
  Object.entries(tags).map(([key, value]) => ({ key, value: value.slice(0, maxChars) }));

/** Tags and parameters in an answer. */
export const pairs = z.array(z.object({ key: z.string(), value: z.string() })).default([]);

/** Requests whose answers are parsed; throws `MlflowError`. */
export function caller(send: MlflowTransport) {
  const parse = <T extends z.ZodType>(schema: T, path: string, answer: Uint8Array): z.infer<T> => {
    try {
      return schema.parse(JSON.parse(Buffer.from(answer).toString('utf8')));
    } catch (cause) {
      throw new MlflowError('', `the answer of MLflow to ${path} is not as documented`, { cause });
    }
  };
  const get = async <T extends z.ZodType>(path: string, query: Tags, schema: T) => {
    const search = new URLSearchParams(query).toString();
    const answer = await send({ method: 'GET', path: `/api/2.0/mlflow/${path}?${search}` });
    return parse(schema, path, answer);
  };
  const change = async <T extends z.ZodType>(
    method: 'POST' | 'PATCH' | 'DELETE',
    path: string,
    json: unknown,
    schema: T,
  ) => parse(schema, path, await send({ method, path: `/api/2.0/mlflow/${path}`, json }));
  return { get, change };
}

/** `undefined` where MLflow says that the thing does not exist. */
export async function orUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    const absent = error instanceof MlflowError && error.errorCode === 'RESOURCE_DOES_NOT_EXIST';
    if (absent) return undefined;
    throw error;
  }
}

/** An answer of which nothing is read. */
export const nothing = z.looseObject({});
