import { searchWords, type SearchFacts } from '../search-facts.ts';
import { note, percent1, table, type Cell } from './html.ts';

/** What the search of hyperparameters chose, and from how many. */
export function searchSection(facts: SearchFacts, charts: string): string[] {
  const shares = new Map(facts.importances.map(({ path, share }) => [path, share]));
  const rows = facts.chosen.map(({ path, value }): Cell[] => {
    const share = shares.get(path) ?? null;
    return [path, JSON.stringify(value) ?? '-', share === null ? 'n/a' : percent1(share)];
  });
  const others = [
    facts.pruned > 0 ? `${facts.pruned} were ended early (${facts.pruner})` : '',
    facts.failed > 0 ? `${facts.failed} failed` : '',
    facts.stoppedBy === 'minutes' ? 'its minutes were over before its trials were' : '',
  ].filter((text) => text !== '');
  return [
    note(`${searchWords(facts)}${others.length > 0 ? ` Of the trials ${others.join('; ')}.` : ''}`),
    table(['Hyperparameter', 'Chosen', 'Explains of the ranking'], rows),
    note(
      'Deflated by the expected best of as many equal trials (Bailey and Lopez de Prado 2014) times the SD of the losses. The share is the ' +
        'first-order effect on the ranks of the trials, leave one out; interactions are not seen.',
    ),
    charts,
  ];
}
