import type { Context } from '@temporalio/activity';
import { RatchetError } from '../core/errors.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import type { CollectionKey } from '../registry/collections.ts';
import { gatherSource, type Gathered } from './collect-source.ts';
import type { ActivityDeps } from './deps.ts';
import { whileBeating } from './heartbeat.ts';

/** Attempts that may end with a history half stored; workflows/stubs.ts allows one more. */
const CONTINUED_ATTEMPTS = 4;

/** A source whose bars can be read: what is stored is up to date, or was when the source last answered. */
export type Known = Gathered & {
  readonly series: CollectionKey;
  readonly state: string;
  readonly calendar: string;
};
export const isKnown = (g: Gathered): g is Known =>
  g.series !== undefined && g.state !== undefined && g.calendar !== undefined;

const hasBars = (g: Gathered): boolean => isKnown(g) && g.rows > 0;

/**
 * Asks the sources of an instrument, all at once; substitutes only where no primary and no fallback has a bar.
 * Errors: `collect.noBars`; `collect.unfinished` where another attempt brings more.
 */
export async function gatherAll(
  deps: ActivityDeps,
  { data }: ExperimentSpec,
  instrument: string,
  context: Context,
): Promise<readonly Gathered[]> {
  const { attempt } = context.info;
  const gather = (uses: ExperimentSpec['data']['sources']): Promise<Gathered[]> =>
    Promise.all(
      uses.map((use) =>
        gatherSource(deps, {
          use,
          instrument,
          timeframe: data.timeframe,
          // A retry of this attempt need not ask again what the first one brought.
          recollect: data.recollect && attempt === 1,
          signal: context.cancellationSignal,
        }),
      ),
    );
  return whileBeating(context, async () => {
    const asked = await gather(data.sources.filter(({ role }) => role !== 'substitute'));
    goOnLater(instrument, asked, attempt);
    const found = asked.some((one) => one.use.role !== 'exogenous' && hasBars(one));
    const standIns = data.sources.filter(({ role }) => role === 'substitute');
    const gathered = found ? asked : [...asked, ...(await gather(standIns))];
    requireBars(instrument, gathered);
    return gathered;
  });
}

/**
 * A source that failed on its way through a long history has less left to give: the next attempt goes on from what is stored.
 * The last attempts take what the others delivered.
 */
function goOnLater(instrument: string, gathered: readonly Gathered[], attempt: number): void {
  const unfinished = gathered.find(
    ({ error, progressed }) => progressed && error && !error.permanent,
  );
  if (!unfinished?.error || attempt > CONTINUED_ATTEMPTS) return;
  const reason = `${unfinished.use.dataset} has more bars of ${instrument}: ${unfinished.error.message}`;
  throw new RatchetError('collect.unfinished', reason, { permanent: false });
}

/** Without a bar from any source that may give them nothing can go on; a passing failure is worth a retry. */
function requireBars(instrument: string, gathered: readonly Gathered[]): void {
  const series = gathered.filter(({ use }) => use.role !== 'exogenous');
  if (series.some(hasBars)) return;
  const reasons = series.map(
    ({ use, status, error }) => `${use.dataset}: ${error?.message ?? status}`,
  );
  throw new RatchetError('collect.noBars', `no bars of ${instrument}; ${reasons.join('; ')}`, {
    permanent: !gathered.some(({ error }) => error && !error.permanent),
    details: { instrument, sources: gathered.map(({ use, status }) => [use.dataset, status]) },
  });
}
