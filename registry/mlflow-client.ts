import { z } from 'zod';
import {
  caller,
  listOf,
  nothing,
  orUndefined,
  pairs,
  TAG_CHARS_MAX,
  type Tags,
} from './mlflow-calls.ts';
import { MlflowError, mlflowTransport, type MlflowTransport } from './mlflow-http.ts';
import { modelRoutes } from './mlflow-models.ts';

export { MlflowError } from './mlflow-http.ts';
export type { MlflowModelVersion } from './mlflow-models.ts';

/** Names here are MLflow's: its "experiment" is our registered model. */
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
const fileSchema = z.object({ path: z.string(), is_dir: z.boolean().default(false) });

export type MlflowExperiment = z.infer<typeof experimentSchema>;
export type MlflowRun = z.infer<typeof runSchema>;
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
const SEARCH_MAX = 100;
/** A package of 100 MB over a slow line; everything else takes well under a second. */
const TIMEOUT_MS = 60_000;

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
