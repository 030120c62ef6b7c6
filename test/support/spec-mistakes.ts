/** Mistakes in specs and files of bars: what `ratchet run` says, and the exit code. */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT } from '../../api/cli/output.ts';
import { quickSpec, type CliMistake, type MistakeWorld } from './mistake.ts';

function file(world: MistakeWorld, content: string, ending = 'yaml'): string {
  const path = join(world.folder, `${randomUUID()}.${ending}`);
  writeFileSync(path, content);
  return path;
}

/** `ratchet run` with the quick spec changed. */
const running =
  (change: object): CliMistake['args'] =>
  (world) => ['run', file(world, JSON.stringify({ ...quickSpec, ...change }))];
const watching =
  (change: object): CliMistake['args'] =>
  async (world) => [...(await running(change)(world)), '--watch'];

/** Daily bars on weekdays from 2015, of one price in the rows `flat`, as a file beside the spec. */
function barsFile(world: MistakeWorld, days: number, flat: readonly [number, number]): string {
  const rows = ['Date,Open,High,Low,Close,Volume'];
  for (let t = Date.UTC(2015, 0, 5); rows.length <= days; t += 86_400_000) {
    const day = new Date(t);
    if (day.getUTCDay() % 6 === 0) continue;
    const still = rows.length >= flat[0] && rows.length < flat[1];
    const close = still ? 100 : 100 + 10 * Math.sin(rows.length / 9) + rows.length / 50;
    const spread = still ? 0 : 0.01;
    const prices = [1, 1 + spread, 1 - spread, 1].map((share) => (close * share).toFixed(2));
    rows.push([day.toISOString().slice(0, 10), ...prices, 1_000_000].join(','));
  }
  return file(world, `${rows.join('\n')}\n`, 'csv');
}

const watchingFlatBars: CliMistake['args'] = async (world) => {
  const dataset = barsFile(world, 900, [300, 600]);
  const data = { sources: [{ dataset }], instruments: ['ACME'] };
  return watching({ model: 'acme', data })(world);
};

export const specMistakes: readonly CliMistake[] = [
  {
    what: 'typo in a key of the spec',
    args: running({ lookbak: 60 }),
    code: EXIT.usage,
    says: [/lookbak: there is no such field\. Did you mean "lookback"\?/],
  },
  {
    what: 'typo in a nested key',
    args: running({ label: { kind: 'forwardLogReturn', horizon: [7] } }),
    code: EXIT.usage,
    says: [/label\.horizon: there is no such field\. Did you mean "horizons"\?/],
  },
  {
    what: 'unknown family',
    args: running({ family: 'rigde' }),
    code: EXIT.usage,
    says: [/family: no model family "rigde"\. Did you mean "ridge"\? Known: .*naive/],
  },
  {
    what: 'unknown feature set',
    args: running({ features: 'technical-151' }),
    code: EXIT.usage,
    says: [/features: no feature set "technical-151"\. Did you mean "technical-152"\?/],
  },
  {
    what: 'unknown policy',
    args: running({ promotion: { policy: 'beat-champion' } }),
    code: EXIT.usage,
    says: [/promotion\.policy: no policy "beat-champion"\. Did you mean "beats-champion"\?/],
  },
  {
    what: 'unknown dataset',
    args: running({ data: { ...quickSpec.data, sources: [{ dataset: 'sp500-dayly' }] } }),
    code: EXIT.usage,
    says: [/data\.sources\[0\]\.dataset: no dataset "sp500-dayly"\. Did you mean "sp500-daily"\?/],
  },
  {
    what: 'unknown instrument',
    args: running({ data: { ...quickSpec.data, instruments: ['^GSPX'] } }),
    code: EXIT.usage,
    says: [/data\.instruments\[0\]: no instrument .*"\^GSPX"\. Did you mean "\^GSPC"\?/],
  },
  {
    what: 'misspelt hyperparameter',
    args: running({ family: 'lstm-multi-horizon', hyperparameters: { epoch: 2 } }),
    code: EXIT.usage,
    says: [/hyperparameters\.epoch: there is no such field\. Did you mean "epochs"\?/],
  },
  {
    what: 'horizons that do not increase',
    args: running({ label: { kind: 'forwardLogReturn', horizons: [7, 5] } }),
    code: EXIT.usage,
    says: [/label\.horizons: horizons must increase/],
  },
  {
    what: 'ratios that do not add up to 1',
    args: running({ split: { kind: 'chronological', ratios: [0.7, 0.2, 0.2] } }),
    code: EXIT.usage,
    says: [/split\.ratios: ratios must add up to 1/],
  },
  {
    what: 'loss weights of the wrong length',
    args: running({ family: 'lstm-multi-horizon', hyperparameters: { lossWeights: [1] } }),
    code: EXIT.usage,
    says: [/lossWeights: has 1 values, label\.horizons has 2\. Give one weight per horizon/],
  },
  {
    what: 'one model name for several instruments',
    args: running({
      data: { sources: [{ dataset: 'index-daily' }], instruments: ['^GSPC', '^IXIC'] },
    }),
    code: EXIT.usage,
    says: [/model: 2 instruments .* Write "quick-\{instrument\}"/],
  },
  {
    what: 'a trial there is not',
    args: running({ promotion: { trial: { kind: 'shaddow' } } }),
    code: EXIT.usage,
    says: [/promotion\.trial\.kind: .*"shadow"/],
  },
  {
    what: 'spec file not found',
    args: () => ['run', 'no-such.yaml'],
    code: EXIT.notFound,
    says: [/there is no file no-such\.yaml/],
  },
  {
    what: 'spec is a folder',
    args: ({ folder }) => ['run', folder],
    code: EXIT.usage,
    says: [/is not a file/],
  },
  {
    what: 'file of bars not found',
    args: running({ data: { ...quickSpec.data, sources: [{ dataset: './none.csv' }] } }),
    code: EXIT.notFound,
    says: [/there is no file .*none\.csv/, /relative to the spec/],
  },
  {
    what: 'YAML that cannot be read',
    args: (world) => ['run', file(world, 'name: x\n  model: [1,\n')],
    code: EXIT.usage,
    says: [/is neither YAML nor JSON: .* line \d/],
  },
  {
    what: 'a spec that is a list',
    args: (world) => ['run', file(world, '- name: x\n')],
    code: EXIT.usage,
    says: [/does not hold a spec/, /docs\/spec\.md/],
  },
  {
    what: 'an empty spec',
    args: (world) => ['run', file(world, '{}')],
    code: EXIT.usage,
    says: [/name: is missing/, /data: is missing/],
  },
  {
    what: 'too few rows',
    args: watching({ data: { ...quickSpec.data, from: '2017-06-01' } }),
    code: EXIT.failed,
    says: [/too few rows: .* at least \d+ are needed\. Take a longer range/],
  },
  {
    what: 'a range without any bar',
    args: watching({ data: { ...quickSpec.data, from: '2030-01-01' } }),
    code: EXIT.failed,
    says: [/no bars of \^GSPC in 2030-01-01/, /data\.from/],
  },
  {
    what: 'a file of bars that holds something else',
    args: async (world) => {
      const dataset = file(world, 'a,b,c\n1,2,3\n', 'csv');
      return watching({ model: 'acme', data: { sources: [{ dataset }], instruments: ['ACME'] } })(
        world,
      );
    },
    code: EXIT.failed,
    says: [/no header that names open, high, low and close/],
  },
  {
    what: 'bars that fail quality',
    args: watchingFlatBars,
    code: EXIT.failed,
    says: [/ACME: flat: 300 flat bars/, /set from: 2017-04-21 or later/],
  },
];
