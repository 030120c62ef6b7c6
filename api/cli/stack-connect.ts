/** Where the command line finds the API and its key. */
import { existsSync, readFileSync } from 'node:fs';
import type { Config } from '../../infra/config.ts';
import { askRunning } from '../../infra/stack/control.ts';
import { keyFilesOf } from '../../infra/stack/identity.ts';
import { layoutOf } from '../../infra/stack/layout.ts';
import { CliError, EXIT, type ApiAddress } from './output.ts';

const START = 'start it: ratchet up   (or set RATCHET_URL and RATCHET_API_KEY)';

/** RATCHET_URL and RATCHET_API_KEY, else the local stack with its admin key. */
export async function connect(config: Config): Promise<ApiAddress> {
  const { url, apiKey } = config.remote;
  if (url !== undefined) {
    if (apiKey !== undefined) return { url, key: apiKey };
    throw new CliError(EXIT.notAllowed, 'RATCHET_URL is set, RATCHET_API_KEY is not', {
      hint: 'set RATCHET_API_KEY to a key of that server (its admin makes one: ratchet keys create)',
    });
  }
  const layout = layoutOf(config.stateDir);
  const status = await askRunning(layout);
  if (!status) {
    throw new CliError(EXIT.notRunning, `no stack is running on ${config.stateDir}`, {
      hint: START,
    });
  }
  const api = status.parts.find((part) => part.name === 'api');
  if (api?.url === undefined) {
    throw new CliError(EXIT.notRunning, 'the stack that is running has no API', { hint: START });
  }
  if (api.state !== 'ready') {
    throw new CliError(EXIT.notRunning, `the API is ${api.state}`, { hint: `see ${api.log}` });
  }
  const { admin } = keyFilesOf(layout);
  const key = apiKey ?? (existsSync(admin) ? readFileSync(admin, 'utf8').trim() : undefined);
  if (key === undefined) {
    throw new CliError(EXIT.notAllowed, `there is no admin key at ${admin}`, {
      hint: 'set RATCHET_API_KEY',
    });
  }
  return { url: api.url, key };
}
