import type { Command } from 'commander';
import { openClient, type Json } from './http.ts';
import { askedExperiment, AN_EXPERIMENT } from './named-experiment.ts';
import type { CliContext } from './output.ts';
import { duration } from './progress.ts';
import { lossWords, pointWords, spaceWords } from './search-words.ts';

/** `search`. */
export function register(program: Command, ctx: CliContext): void {
  program
    .command('search')
    .argument('<experiment>', AN_EXPERIMENT)
    .description('show its search of hyperparameters, trial by trial')
    .option('-m, --model <name>', 'of one of its models')
    .option('--best', 'the best trials first')
    .action((asked: string, options: { model?: string; best?: boolean }) =>
      search(ctx, asked, options),
    );
}

async function search(
  ctx: CliContext,
  asked: string,
  { model, best = false }: { model?: string; best?: boolean },
): Promise<void> {
  const client = await openClient(ctx);
  const id = await askedExperiment(client, asked);
  const query = model === undefined ? {} : { model };
  const answer = await client.json('GET', `/api/v1/experiments/${id}/search`, { query });
  ctx.out.data(answer);
  if (ctx.json) return;
  if (id !== asked) ctx.out.line(`experiment ${id}`);
  const searches = answer['items'] as Json[];
  if (searches.length === 0) {
    ctx.out.line(
      model === undefined
        ? `experiment ${id} has searched nothing (its spec has no \`tune\`, or it has not come so far)`
        : `experiment ${id} has searched nothing for ${model}`,
    );
    return;
  }
  for (const one of searches) show(ctx, one, best);
}

function show(ctx: CliContext, search: Json, bestFirst: boolean): void {
  const counts = search['counts'] as Readonly<Record<string, number>>;
  const { running = 0, ...ended } = counts;
  const done = Object.values(ended).reduce((sum, n) => sum + n, 0);
  const others = Object.entries(ended).filter(([state]) => state !== 'completed');
  const said = others.map(([state, n]) => `, ${n} ${state}`).join('');
  ctx.out.line(
    `${String(search['model'])}: ${String(search['search'])} over ${spaceWords(search['space'])}`,
  );
  ctx.out.line(
    `${String(search['state'])}: ${done} of ${String(search['trials'])} trials ended${said}` +
      `${running > 0 ? `, ${running} running` : ''}${timeWords(search, done)}`,
  );
  const best = search['best'] as Json | null;
  if (best) {
    ctx.out.line(
      `best is trial ${String(best['trial'])}: validation loss ${lossWords(best['validLoss'])}, ` +
        `${lossWords(best['deflatedValidLoss'])} deflated for the choice among ${done}`,
    );
  }
  const trials = search['items'] as Json[];
  ctx.out.table(bestFirst ? byLoss(trials) : trials, [
    { title: 'trial', value: (row) => Number(row['trial']), align: 'right' },
    { title: 'state', value: (row) => String(row['state']) },
    { title: 'rung', value: (row) => rungOf(row, search), align: 'right' },
    { title: 'valid loss', value: (row) => lossWords(row['validLoss']), align: 'right' },
    { title: 'time', value: tookWords, align: 'right' },
    { title: 'hyperparameters', value: wordsOf },
  ]);
}

const wordsOf = ({ hyperparameters, error }: Json): string =>
  typeof error === 'string'
    ? `${pointWords(hyperparameters)}: ${error}`
    : pointWords(hyperparameters);

/** Only trials that were trained to their end are comparable; the others follow. */
function byLoss(trials: readonly Json[]): Json[] {
  const rank = ({ state, validLoss }: Json): number =>
    state === 'completed' && typeof validLoss === 'number' ? validLoss : Infinity;
  return trials.toSorted((a, b) => (rank(a) === rank(b) ? 0 : rank(a) < rank(b) ? -1 : 1));
}

const rungOf = (trial: Json, { rungs }: Json): string =>
  `${(trial['losses'] as unknown[]).length}/${Math.max(1, (rungs as unknown[]).length)}`;

function tookWords({ startedAt, finishedAt }: Json): string | null {
  if (typeof finishedAt !== 'string') return null;
  return duration((Date.parse(finishedAt) - Date.parse(String(startedAt))) / 1000);
}

/** How long it took, or why it ended early. */
function timeWords(
  { startedAt, finishedAt, stoppedBy, budgetMinutes }: Json,
  done: number,
): string {
  if (typeof finishedAt !== 'string') return '';
  const took = duration((Date.parse(finishedAt) - Date.parse(String(startedAt))) / 1000);
  const why =
    stoppedBy === 'minutes'
      ? `, stopped after ${String(budgetMinutes)} minutes`
      : stoppedBy === 'exhausted'
        ? ', nothing else is left to try'
        : '';
  return done === 0 ? why : `, took ${took}${why}`;
}
