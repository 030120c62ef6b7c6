import { z } from 'zod';
import { MlflowError, mlflowTransport, type MlflowTransport } from './mlflow-http.ts';

export { MlflowError } from './mlflow-http.ts';

/** Names here are MLflow's: its "experiment" is our registered model. */
const pairs = z.array(z.object({ key: z.string(), value: z.string() })).default([]);
const experimentSchema = z.object({
  experiment_id: z.string(),
  name: z.string(),
  lifecycle_stage: z.string(),
});
const runSchema = z.object({
  info: z.object({
    run_id: z.string(),
    experiment_id: z.string(),
    status: z.string(),
    artifact_uri: z.string(),
    lifecycle_stage: z.string(),
  }),
  data: z.object({
    params: pairs,
    tags: pairs,
    metrics: z.array(z.object({ key: z.string(), value: z.number() })).default([]),
  }),
});
const metricSchema = z.object({ value: z.number(), timestamp: z.number(), step: z.number() });
const modelVersionSchema = z.object({
  name: z.string(),
  version: z.string(),
  run_id: z.string().default(''),
  source: z.string().default(''),
  tags: pairs,
  aliases: z.array(z.string()).default([]),
});
const fileSchema = z.object({ path: z.string(), is_dir: z.boolean().default(false) });
const token = z.string().default('');

export type MlflowExperiment = z.infer<typeof experimentSchema>;
export type MlflowRun = z.infer<typeof runSchema>;
export type MlflowModelVersion = z.infer<typeof modelVersionSchema>;
export type MlflowRunStatus = 'RUNNING' | 'FINISHED' | 'FAILED' | 'KILLED';

export interface MlflowMetric {
  readonly key: string;
  readonly value: number;
  /** ms since 1970. The same metric with the same time and step counts once. */
  readonly timestamp: number;
  readonly step: number;
}

/** MLflow's own limits of one log-batch request. */
const BATCH_METRICS_MAX = 1_000;
const BATCH_PARAMS_MAX = 100;
const BATCH_TAGS_MAX = 100;
const PARAM_CHARS_MAX = 6_000;
const TAG_CHARS_MAX = 5_000;
const SEARCH_MAX = 100;
/** A package of 100 MB over a slow line; everything else takes well under a second. */
const TIMEOUT_MS = 60_000;

type Tags = Readonly<Record<string, string>>;
const listOf = (tags: Tags, maxChars: number) =>
  Object.entries(tags).map(([key, value]) => ({ key, value: value.slice(0, maxChars) }));

/** A thin client of MLflow's REST API: one method a route, no retries, answers parsed. */
export function openMlflowClient(
  baseUrl: string,
  { timeoutMs = TIMEOUT_MS }: { readonly timeoutMs?: number } = {},
) {
  const send = mlflowTransport(baseUrl, timeoutMs);
  return {
    ...serverRoutes(send),
    ...experimentRoutes(send),
    ...runRoutes(send),
    ...artifactRoutes(send),
    ...modelRoutes(send),
  };
}
export type MlflowClient = ReturnType<typeof openMlflowClient>;

function caller(send: MlflowTransport) {
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
async function orUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    const absent = error instanceof MlflowError && error.errorCode === 'RESOURCE_DOES_NOT_EXIST';
    if (absent) return undefined;
    throw error;
  }
}

const nothing = z.looseObject({});

function serverRoutes(send: MlflowTransport) {
  return {
    /** Throws unless the server answers. */
    async ping(): Promise<void> {
      await send({ method: 'GET', path: '/health' });
    },
  };
}

function experimentRoutes(send: MlflowTransport) {
  const { get, change } = caller(send);
  return {
    /** Deleted ones too: their name stays taken. */
    async experimentByName(name: string): Promise<MlflowExperiment | undefined> {
      const schema = z.object({ experiment: experimentSchema });
      const query = { experiment_name: name };
      return (await orUndefined(get('experiments/get-by-name', query, schema)))?.experiment;
    },
    async createExperiment(name: string, tags: Tags): Promise<string> {
      const json = { name, tags: listOf(tags, TAG_CHARS_MAX) };
      const schema = z.object({ experiment_id: z.string() });
      return (await change('POST', 'experiments/create', json, schema)).experiment_id;
    },
    async restoreExperiment(id: string): Promise<void> {
      await change('POST', 'experiments/restore', { experiment_id: id }, nothing);
    },
  };
}

function runRoutes(send: MlflowTransport) {
  const { get, change } = caller(send);
  return {
    async createRun(run: {
      experimentId: string;
      name: string;
      startTime: number;
      tags: Tags;
    }): Promise<MlflowRun> {
      const json = {
        experiment_id: run.experimentId,
        run_name: run.name,
        start_time: run.startTime,
        tags: listOf(run.tags, TAG_CHARS_MAX),
      };
      return (await change('POST', 'runs/create', json, z.object({ run: runSchema }))).run;
    },
    async getRun(runId: string): Promise<MlflowRun> {
      return (await get('runs/get', { run_id: runId }, z.object({ run: runSchema }))).run;
    },
    /** Runs that are not deleted, at most 100. */
    async searchRuns(experimentId: string, filter: string): Promise<MlflowRun[]> {
      const json = { experiment_ids: [experimentId], filter, max_results: SEARCH_MAX };
      const schema = z.object({ runs: z.array(runSchema).default([]) });
      return (await change('POST', 'runs/search', json, schema)).runs;
    },
    async updateRun(
      runId: string,
      end: { status: MlflowRunStatus; endTime?: number },
    ): Promise<void> {
      const json = { run_id: runId, status: end.status, end_time: end.endTime };
      await change('POST', 'runs/update', json, nothing);
    },
    async deleteRun(runId: string): Promise<void> {
      await change('POST', 'runs/delete', { run_id: runId }, nothing);
    },
    /** Sends what there is in as few requests as MLflow allows; values must be finite. */
    async logBatch(
      runId: string,
      batch: { metrics?: readonly MlflowMetric[]; params?: Tags; tags?: Tags },
    ): Promise<void> {
      const metrics = [...(batch.metrics ?? [])];
      const params = listOf(batch.params ?? {}, PARAM_CHARS_MAX);
      const tags = listOf(batch.tags ?? {}, TAG_CHARS_MAX);
      while (metrics.length + params.length + tags.length > 0) {
        const json = {
          run_id: runId,
          params: params.splice(0, BATCH_PARAMS_MAX),
          tags: tags.splice(0, BATCH_TAGS_MAX),
          metrics: metrics.splice(0, BATCH_METRICS_MAX - 2 * BATCH_PARAMS_MAX),
        };
        await change('POST', 'runs/log-batch', json, nothing);
      }
    },
    async metricHistory(runId: string, key: string): Promise<z.infer<typeof metricSchema>[]> {
      const schema = z.object({ metrics: z.array(metricSchema).default([]) });
      const query = { run_id: runId, metric_key: key };
      return (await get('metrics/get-history', query, schema)).metrics;
    },
  };
}

/** Path of a file of a run in the server's artifact proxy. */
function proxyPath(run: MlflowRun, path: string): string {
  const root = /^mlflow-artifacts:\/+(.+)$/.exec(run.info.artifact_uri)?.[1];
  if (root === undefined) {
    throw new MlflowError(
      '',
      'the MLflow server does not serve artifacts itself (start it with --artifacts-destination)',
    );
  }
  const parts = `${root}/${path}`.split('/').map(encodeURIComponent);
  return `/api/2.0/mlflow-artifacts/artifacts/${parts.join('/')}`;
}

function artifactRoutes(send: MlflowTransport) {
  const { get } = caller(send);
  return {
    /** Writes a file of a run, or writes it again. */
    async uploadArtifact(run: MlflowRun, path: string, bytes: Uint8Array): Promise<void> {
      await send({ method: 'PUT', path: proxyPath(run, path), bytes });
    },
    downloadArtifact(run: MlflowRun, path: string): Promise<Uint8Array> {
      return send({ method: 'GET', path: proxyPath(run, path) });
    },
    async listArtifacts(run: MlflowRun, folder = ''): Promise<string[]> {
      const schema = z.object({ files: z.array(fileSchema).default([]) });
      const query = { run_id: run.info.run_id, ...(folder === '' ? {} : { path: folder }) };
      const { files } = await get('artifacts/list', query, schema);
      return files.map(({ path }) => path).sort();
    },
  };
}

function modelRoutes(send: MlflowTransport) {
  const { get, change } = caller(send);
  const versionAnswer = z.object({ model_version: modelVersionSchema });
  return {
    /** Makes a registered model; one that is there stays. */
    async ensureRegisteredModel(name: string, description: string): Promise<void> {
      try {
        await change('POST', 'registered-models/create', { name, description }, nothing);
      } catch (error) {
        const exists =
          error instanceof MlflowError && error.errorCode === 'RESOURCE_ALREADY_EXISTS';
        if (!exists) throw error;
      }
    },
    /** Versions of a model, lowest number first. */
    async modelVersions(name: string): Promise<MlflowModelVersion[]> {
      const schema = z.object({
        model_versions: z.array(modelVersionSchema).default([]),
        next_page_token: token,
      });
      const found: MlflowModelVersion[] = [];
      let page = '';
      do {
        const query = { filter: `name='${name}'`, max_results: '1000' };
        const more = page === '' ? query : { ...query, page_token: page };
        const answer = await get('model-versions/search', more, schema);
        found.push(...answer.model_versions);
        page = answer.next_page_token;
      } while (page !== '');
      return found.sort((a, b) => Number(a.version) - Number(b.version));
    },
    async createModelVersion(version: {
      name: string;
      source: string;
      runId: string;
      description: string;
      tags: Tags;
    }): Promise<MlflowModelVersion> {
      const { runId, tags, ...rest } = version;
      const json = { ...rest, run_id: runId, tags: listOf(tags, TAG_CHARS_MAX) };
      return (await change('POST', 'model-versions/create', json, versionAnswer)).model_version;
    },
    async deleteModelVersion(name: string, version: string): Promise<void> {
      await orUndefined(change('DELETE', 'model-versions/delete', { name, version }, nothing));
    },
    async setAlias(name: string, alias: string, version: string): Promise<void> {
      await change('POST', 'registered-models/alias', { name, alias, version }, nothing);
    },
    async deleteAlias(name: string, alias: string): Promise<void> {
      await orUndefined(change('DELETE', 'registered-models/alias', { name, alias }, nothing));
    },
    async versionByAlias(name: string, alias: string): Promise<MlflowModelVersion | undefined> {
      try {
        return (await get('registered-models/alias', { name, alias }, versionAnswer)).model_version;
      } catch (error) {
        // An alias that is not set is INVALID_PARAMETER_VALUE, a model that is not there the other.
        const absent = ['INVALID_PARAMETER_VALUE', 'RESOURCE_DOES_NOT_EXIST'];
        if (error instanceof MlflowError && absent.includes(error.errorCode)) return undefined;
        throw error;
      }
    },
  };
}
