import { NAME_PATTERN } from '../../core/spec/spec.ts';
import { BACKTESTS } from './backtest-figures.ts';
import type { ApiClient, Json } from './http.ts';
import { CliError, EXIT } from './output.ts';

/** Of the letters of a ULID, in either case. */
const ID_PART = /^[0-9A-HJKMNP-TV-Z]{1,26}$/i;
const ID_LENGTH = 26;

/** The backtest, and the strategy of it, that was asked for. */
export interface AskedBacktest {
  readonly id: string;
  readonly strategy?: string;
}

/**
 * Of `ID`, the beginning of one, or the name of a backtest (its newest), each with or without `/STRATEGY`. Throws `CliError`:
 * nothing is called that, or several ids begin so.
 */
export async function askedBacktest(client: ApiClient, asked: string): Promise<AskedBacktest> {
  const [text = '', strategy] = asked.split('/', 2);
  const id = await idOf(client, text);
  return { id, ...(strategy !== undefined && { strategy }) };
}

async function idOf(client: ApiClient, text: string): Promise<string> {
  const isIdPart = ID_PART.test(text);
  const upper = text.toUpperCase();
  if (isIdPart && text.length === ID_LENGTH) return upper;
  const list = async (query: Readonly<Record<string, string | number>>): Promise<string[]> => {
    const { items } = await client.json('GET', BACKTESTS, { query });
    return (items as Json[]).map((row) => String(row['id']));
  };
  const [newest] = NAME_PATTERN.test(text) ? await list({ name: text, limit: 1 }) : [];
  if (newest !== undefined) return newest;
  // The newest two that may begin so: the list goes on below an id.
  const below = isIdPart ? await list({ before: upper.padEnd(ID_LENGTH, 'Z'), limit: 2 }) : [];
  const [found, other] = below.filter((one) => one.startsWith(upper));
  if (other !== undefined) {
    throw new CliError(EXIT.usage, `the ids of several backtests begin with ${text}`, {
      hint: 'give more of the id',
    });
  }
  if (found !== undefined) return found;
  throw new CliError(EXIT.notFound, `no backtest has the name or the id ${text.slice(0, 64)}`, {
    hint: 'give an id, the beginning of one, or a name: `ratchet backtests` lists them',
  });
}
