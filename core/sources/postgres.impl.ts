import { SourceError } from './errors.ts';
import type { PostgresParams } from './postgres.ts';
import type { BarPage, BarRequest, Source, SourceContext } from './source.ts';
import { barsOfSql, SQL_ROWS_MAX, sqlValues } from './sql.ts';

/** `$name` as PostgreSQL counts them: $1, $2, ... and the values in that order. */
export function positional(
  sql: string,
  values: Readonly<Record<string, string | number>>,
): { readonly text: string; readonly values: readonly (string | number)[] } {
  const order: string[] = [];
  const text = sql.replaceAll(/\$([a-z]+)\b/g, (whole, name: string) => {
    if (values[name] === undefined) return whole;
    if (!order.includes(name)) order.push(name);
    return `$${order.indexOf(name) + 1}`;
  });
  return { text, values: order.map((name) => values[name]!) };
}

export function create(params: PostgresParams): Source {
  async function* fetch(
    request: BarRequest,
    cursor: string | undefined,
    ctx: SourceContext,
  ): AsyncGenerator<BarPage> {
    const { text, values } = positional(params.sql, sqlValues(request));
    const statement = `SELECT * FROM (${text}) AS bars LIMIT ${SQL_ROWS_MAX}`;
    const answer = await ctx.query(statement, values).catch((cause: unknown) => {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new SourceError('source.sql', `PostgreSQL refuses the query: ${why}`, { cause });
    });
    ctx.signal.throwIfAborted();
    yield* barsOfSql(answer, params, request, cursor);
  }

  return {
    isAvailable: (ctx) =>
      ctx.query('SELECT 1 AS one', []).then(
        () => true,
        () => false,
      ),
    fetch,
  };
}
