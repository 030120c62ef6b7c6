import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { openClient, type ApiClient, type Json } from './http.ts';
import { integer, segment } from './options.ts';
import { CliError, EXIT, shortened, toMinute, type CliContext } from './output.ts';

const LOOK_EVERY_MS = 300;
/** A receiver has 15 s to answer by default, and the first attempt is what one waits for. */
const LOOK_FOR_MS = 20_000;

interface Delivery {
  readonly webhook: string;
  readonly status: string;
  readonly attempts: number;
  readonly lastError: string | null;
}

const deliveriesOf = (alert: Json): readonly Delivery[] =>
  alert['deliveries'] as readonly Delivery[];
const told = ({ webhook, status, attempts }: Delivery): string =>
  `${webhook}: ${status}${attempts > 1 ? ` (${attempts} attempts)` : ''}`;

/** `alerts list/test`; `alerts` alone lists. */
export function register(program: Command, ctx: CliContext): void {
  const alerts = program
    .command('alerts')
    .description('what happened that somebody should know: list, test the webhooks');
  alerts
    .command('list', { isDefault: true })
    .description('alerts and which webhooks were told, newest first')
    .option('-n, --limit <n>', 'how many', integer(1, 500), 50)
    .option('-m, --model <model>', 'of one model')
    .option('-e, --event <event>', 'of one kind, such as champion.promoted')
    .action(async (options: { limit: number; model?: string; event?: string }) => {
      const client = await openClient(ctx);
      const { items } = await client.json('GET', '/api/v1/alerts', { query: { ...options } });
      ctx.out.table(
        items as Json[],
        [
          { title: 'at', value: (row) => toMinute(row['createdAt']) },
          { title: 'market time', value: (row) => toMinute(row['asOf']) },
          { title: 'event', value: (row) => String(row['event']) },
          { title: 'words', value: (row) => shortened(String(row['words']), 90) },
          {
            title: 'webhooks',
            value: (row) => deliveriesOf(row).map(told).join(', ') || 'none wants it',
          },
        ],
        'nothing yet',
      );
    });
  alerts
    .command('test')
    .argument('[webhook]', 'a name of ratchet.config.yaml; default: all')
    .description('send a test and wait for the first attempts')
    .action(async (webhook: string | undefined) => {
      const client = await openClient(ctx);
      const body = webhook === undefined ? {} : { webhook };
      const { id } = await client.json('POST', '/api/v1/alerts/test', { body });
      const alert = await attempted(client, String(id), ctx.signal);
      ctx.out.data(alert);
      report(ctx, deliveriesOf(alert), webhook);
    });
}

/** The alert once each delivery has been tried, or as it is when the time is up. */
async function attempted(client: ApiClient, id: string, signal: AbortSignal): Promise<Json> {
  const until = performance.now() + LOOK_FOR_MS;
  for (;;) {
    const alert = await client.json('GET', `/api/v1/alerts/${segment(id)}`);
    const deliveries = deliveriesOf(alert);
    const tried = deliveries.length > 0 && deliveries.every(({ attempts }) => attempts > 0);
    if (tried || performance.now() > until) return alert;
    await pause(LOOK_EVERY_MS, undefined, { signal });
  }
}

function report(
  ctx: CliContext,
  deliveries: readonly Delivery[],
  webhook: string | undefined,
): void {
  if (deliveries.length === 0) {
    const which = webhook === undefined ? 'no webhook' : `no webhook "${webhook}"`;
    throw new CliError(EXIT.failed, `${which} took the test`, {
      hint: 'is it under `webhooks:` of ratchet.config.yaml, was the stack started since, does a worker run?',
    });
  }
  for (const delivery of deliveries) {
    const { status, lastError } = delivery;
    const why = status === 'delivered' || lastError === null ? '' : `: ${lastError}`;
    ctx.out.line(`${told(delivery)}${why}`);
  }
  const failed = deliveries.filter(({ status }) => status !== 'delivered');
  if (failed.length > 0) {
    throw new CliError(EXIT.failed, `${failed.length} of ${deliveries.length} did not take it`, {
      details: { webhooks: failed.map((delivery) => delivery.webhook) },
    });
  }
}
