/** Mistakes on the command line: what is typed, what is said, and the exit code. */
import { EXIT } from '../../api/cli/output.ts';
import { newKeyToken } from '../../registry/keys.ts';
import { makeKey, MODEL, revokedKey, type CliMistake, type MistakeWorld } from './mistake.ts';

const withKey =
  (make: (world: MistakeWorld) => string | Promise<string>): NonNullable<CliMistake['env']> =>
  async (world) => ({
    RATCHET_URL: world.product.url,
    RATCHET_API_KEY: await make(world),
  });

export const platformMistakes: readonly CliMistake[] = [
  {
    what: 'no champion yet',
    args: () => ['predict', 'fresh'],
    code: EXIT.refused,
    says: [/fresh has no champion/, /ratchet promote/],
  },
  {
    what: 'unknown model',
    args: () => ['predict', 'quik'],
    code: EXIT.notFound,
    says: [/quik/, /`ratchet models` lists/],
  },
  {
    what: 'a batch of nothing',
    args: () => ['batch-predict', MODEL],
    code: EXIT.usage,
    says: [/either a file of items, --instruments, or --from/],
  },
  {
    what: 'a batch from a file that is not there',
    args: () => ['batch-predict', MODEL, 'no-such-items.json'],
    code: EXIT.notFound,
    says: [/no readable file no-such-items\.json/],
  },
  {
    what: 'unknown version',
    args: () => ['predict', MODEL, '--version', '99'],
    code: EXIT.notFound,
    says: [/99/, /`ratchet versions/],
  },
  {
    what: 'showing an unknown version',
    args: () => ['versions', MODEL, '99'],
    code: EXIT.notFound,
    says: [/99/, /`ratchet versions/],
  },
  {
    what: 'metrics where there is no champion',
    args: () => ['metrics', 'fresh'],
    code: EXIT.notFound,
    says: [/fresh/, /ratchet/],
  },
  {
    what: 'an unknown metric',
    args: () => ['compare', MODEL, 'h7.rsme'],
    code: EXIT.notFound,
    says: [/h7\.rsme/, /h1\.rmse/],
  },
  {
    what: 'promoting the version that serves',
    args: () => ['promote', MODEL, '--version', '1'],
    code: EXIT.refused,
    says: [/[Vv]ersion 1 .*already/],
  },
  {
    what: 'promoting a version that does not exist',
    args: () => ['promote', MODEL, '--version', '7'],
    code: EXIT.notFound,
    says: [/version 7/, /`ratchet versions/],
  },
  {
    what: 'promoting nothing',
    args: () => ['promote', MODEL],
    code: EXIT.usage,
    says: [/either --version N or --best-by METRIC/],
  },
  {
    what: 'champion before there was one',
    args: () => ['champion', MODEL, '--at', '2001-01-01'],
    code: EXIT.notFound,
    says: [/no champion at 2001-01-01/],
  },
  {
    what: 'a wrong key',
    args: () => ['models'],
    env: withKey(() => newKeyToken()),
    code: EXIT.notAllowed,
    says: [/not valid/, /RATCHET_API_KEY/],
  },
  {
    what: 'a key without the scope',
    args: () => ['promote', MODEL, '--version', '1'],
    env: withKey((world) => makeKey(world, { scopes: ['read'] })),
    code: EXIT.notAllowed,
    says: [/promote/, /ratchet keys create/],
  },
  {
    what: 'a key of another model',
    args: () => ['predict', MODEL],
    env: withKey((world) => makeKey(world, { scopes: ['predict'], models: ['fresh'] })),
    code: EXIT.notFound,
    says: [/quick/],
  },
  {
    what: 'a revoked key',
    args: () => ['models'],
    env: withKey(revokedKey),
    code: EXIT.notAllowed,
    says: [/revoked/],
  },
  {
    what: 'an address without a key',
    args: () => ['models'],
    env: async ({ product }) => ({ RATCHET_URL: product.url }),
    code: EXIT.notAllowed,
    says: [/RATCHET_API_KEY/],
  },
  {
    what: 'an address where nothing listens',
    args: () => ['models'],
    env: async () => ({ RATCHET_URL: 'http://127.0.0.1:9', RATCHET_API_KEY: newKeyToken() }),
    code: EXIT.notRunning,
    says: [/not reachable/, /ratchet up/],
  },
  {
    what: 'a second `up` on the same state',
    args: () => ['up'],
    code: EXIT.refused,
    says: [/already/, /ratchet down/],
  },
  {
    what: 'an unknown part of the stack',
    args: () => ['up', '--parts', 'postgre'],
    code: EXIT.usage,
    says: [/no part "postgre"/, /postgres/],
  },
  {
    what: 'an --as-of that is no time',
    args: () => ['predict', MODEL, '--as-of', 'yesterday'],
    code: EXIT.usage,
    says: [/--as-of: /, /ISO 8601 with a zone.*or a date/],
  },
  {
    what: 'as of a time before the first window',
    args: () => ['predict', MODEL, '--as-of', '1999-01-06'],
    code: EXIT.usage,
    says: [/\d+ complete bars are needed, \d+ more than the 3/, /collect more history/],
  },
  {
    what: 'as of the future',
    args: () => ['predict', MODEL, '--as-of', '2999-01-01'],
    code: EXIT.usage,
    says: [/future/],
  },
  {
    what: 'an instrument that the model does not answer for',
    args: () => ['predict', MODEL, '^IXIC'],
    code: EXIT.usage,
    says: [/quick answers for \^GSPC, not for \^IXIC/],
  },
  {
    what: 'training days out of range',
    args: () => ['train', MODEL, '--days', '99'],
    code: EXIT.usage,
    says: [/100/, /5000/],
  },
  {
    what: 'training days too few to split',
    args: () => ['train', MODEL, '--days', '100'],
    code: EXIT.usage,
    says: [/at least \d+ are needed/],
  },
  {
    what: 'training a model that was never trained',
    args: () => ['train', 'fresh'],
    code: EXIT.refused,
    says: [/template/, /ratchet run/],
  },
  {
    what: 'cancelling an experiment that ended',
    args: ({ experimentId }) => ['cancel', experimentId],
    code: EXIT.refused,
    says: [/ended|completed/],
  },
  {
    what: 'an unknown experiment',
    args: () => ['watch', '01J00000000000000000000001'],
    code: EXIT.notFound,
    says: [/01J00000000000000000000001/, /`ratchet experiments` lists/],
  },
  {
    what: 'deleting a model that serves',
    args: () => ['model', 'delete', MODEL],
    code: EXIT.refused,
    says: [/serv/, /--force/],
  },
  {
    what: 'deleting the version that serves',
    args: () => ['model', 'delete', MODEL, '--version-number', '1'],
    code: EXIT.refused,
    says: [/version 1 serves quick; promote another one/],
  },
  {
    what: 'registering a model twice',
    args: () => ['model', 'create', MODEL, '-i', '^GSPC'],
    code: EXIT.refused,
    says: [/quick/, /ratchet model update/],
  },
  {
    what: 'a model name that is none',
    args: () => ['model', 'create', 'My Model', '-i', '^GSPC'],
    code: EXIT.usage,
    says: [/name/, /lower case/i],
  },
  {
    what: 'an unknown scope',
    args: () => ['keys', 'create', 'x', '--scopes', 'reed'],
    code: EXIT.usage,
    says: [/--scopes: /, /read/],
  },
  {
    what: 'a key that expires in the past',
    args: () => ['keys', 'create', 'x', '--scopes', 'read', '--expires', '2001-01-01'],
    code: EXIT.usage,
    says: [/expire|past/],
  },
  {
    what: 'revoking an unknown key',
    args: () => ['keys', 'revoke', 'abcdefghij'],
    code: EXIT.notFound,
    says: [/no key abcdefghij/, /keys list/],
  },
  {
    what: 'revoking something that is no key',
    args: () => ['keys', 'revoke', 'nobody'],
    code: EXIT.usage,
    says: [/nobody is not the id of a key/, /keys list/],
  },
  {
    what: 'inspecting a file that is not there',
    args: () => ['inspect', 'none.csv'],
    code: EXIT.notFound,
    says: [/none\.csv/],
  },
  {
    what: 'an unknown option',
    args: () => ['predict', MODEL, '--versoin', '1'],
    code: EXIT.usage,
    says: [/unknown option '--versoin'/, /Did you mean --version/],
  },
  {
    what: 'an unknown command',
    args: () => ['predikt', MODEL],
    code: EXIT.usage,
    says: [/unknown command 'predikt'/, /Did you mean predict/],
  },
  {
    what: 'a missing argument',
    args: () => ['predict'],
    code: EXIT.usage,
    says: [/missing required argument 'model'/],
  },
];
