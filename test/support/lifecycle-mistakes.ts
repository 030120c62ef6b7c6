/** Mistakes with the commands of a model's lifecycle: what is said, and the exit code. */
import { EXIT } from '../../api/cli/output.ts';
import { MODEL, type CliMistake } from './mistake.ts';

export const lifecycleMistakes: readonly CliMistake[] = [
  {
    what: 'rolling back where nothing served before',
    args: () => ['rollback', MODEL, '--reason', 'x'],
    code: EXIT.refused,
    says: [/No version of quick served before version 1/, /`ratchet versions/],
  },
  {
    what: 'rolling back a model without a champion',
    args: () => ['rollback', 'fresh', '--reason', 'x'],
    code: EXIT.refused,
    says: [/fresh has no champion to go back from/],
  },
  {
    what: 'rolling back to a version that does not exist',
    args: () => ['rollback', MODEL, '--version', '7', '--reason', 'x'],
    code: EXIT.notFound,
    says: [/version 7/, /`ratchet versions/],
  },
  {
    what: 'rolling back without saying why',
    args: () => ['rollback', MODEL],
    code: EXIT.usage,
    says: [/required option '-r, --reason <text>'/],
  },
  {
    what: 'approving where nothing is on trial',
    args: () => ['approve', MODEL],
    code: EXIT.refused,
    says: [/quick has no running trial/, /`ratchet trials/],
  },
  {
    what: 'rejecting where nothing is on trial',
    args: () => ['reject', MODEL, '--reason', 'x'],
    code: EXIT.refused,
    says: [/quick has no running trial/, /`ratchet trials/],
  },
  {
    what: 'freezing without saying why',
    args: () => ['freeze', MODEL],
    code: EXIT.usage,
    says: [/required option '-r, --reason <text>'/],
  },
  {
    what: 'freezing an unknown model',
    args: () => ['freeze', 'quik', '--reason', 'x'],
    code: EXIT.notFound,
    says: [/quik/, /`ratchet models` lists/],
  },
  {
    what: 'an unknown trial',
    args: () => ['trials', MODEL, 'trial-9'],
    code: EXIT.notFound,
    says: [/quick has no trial trial-9/, /`ratchet trials/],
  },
  {
    what: 'the running trial where there is none',
    args: () => ['trials', MODEL, 'running'],
    code: EXIT.notFound,
    says: [/no running trial/, /`ratchet trials quick` lists/],
  },
  {
    what: 'a kind of event that there is not',
    args: () => ['history', MODEL, '--kind', 'gossip'],
    code: EXIT.usage,
    says: [/kind/, /trial\.ended/],
  },
  {
    what: 'settling the future',
    args: () => ['settle', MODEL, '--as-of', '2999-01-01'],
    code: EXIT.usage,
    says: [/future/],
  },
  {
    what: 'monitoring at no time',
    args: () => ['monitor', MODEL, '--as-of', 'soon'],
    code: EXIT.usage,
    says: [/--as-of: /, /ISO 8601 with a zone.*or a date/],
  },
];
