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
import { MlflowError, type MlflowTransport } from './mlflow-http.ts';

const modelVersionSchema = z.object({
  name: z.string(),
  version: z.string(),
  run_id: z.string().default(''),
  source: z.string().default(''),
  tags: pairs,
  aliases: z.array(z.string()).default([]),
});
const token = z.string().default('');

export type MlflowModelVersion = z.infer<typeof modelVersionSchema>;

/** Registered models, their versions and aliases. */
export function modelRoutes(send: MlflowTransport) {
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
