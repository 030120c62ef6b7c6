import { NAME_PATTERN } from '../../core/spec/spec.ts';
import type { ApiClient, Json } from './http.ts';
import { CliError, EXIT } from './output.ts';

const ID = /^[0-9A-HJKMNP-TV-Z]{26}$/;

/** How a command's help says what `askedExperiment` takes. */
export const AN_EXPERIMENT = 'its id, or its name: the newest one of that name';

/** Of an id, or of the name of an experiment (its newest), the id. Throws `CliError`: nothing is called that. */
export async function askedExperiment(client: ApiClient, asked: string): Promise<string> {
  if (ID.test(asked)) return asked;
  // Some, as the list leaves out those of models that the key is not for.
  const query = { name: asked, limit: 20 };
  const { items } = NAME_PATTERN.test(asked)
    ? await client.json('GET', '/api/v1/experiments', { query })
    : { items: [] };
  const [newest] = items as Json[];
  if (newest) return String(newest['id']);
  throw new CliError(EXIT.notFound, `there is no experiment ${asked.slice(0, 64)}`, {
    hint: 'give an id, or a whole name: `ratchet experiments` lists them',
  });
}
