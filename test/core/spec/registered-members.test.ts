import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  memberModels,
  parseSpec,
  SpecError,
  specHash,
  type SpecIssue,
} from '../../../core/spec/index.ts';

const RIDGE = { family: 'ridge' };
const spec = (members: readonly object[], change: object = {}) => ({
  name: 'e',
  model: 'together-{instrument}',
  data: { sources: [{ dataset: 'index-daily' }], instruments: ['^GSPC', '^IXIC'] },
  family: 'ensemble',
  hyperparameters: { members },
  ...change,
});

function issuesOf(value: object): readonly SpecIssue[] {
  try {
    parseSpec(value);
    return [];
  } catch (error) {
    assert.ok(error instanceof SpecError);
    return error.issues;
  }
}

const POOLED = { model: 'together', fit: 'pooled', scaling: { per: 'unit' } };

describe('registered versions as members', () => {
  it('are named by model and version, mixed with families, and shape the spec', () => {
    const hashes = ['champion', 3, 4].map((version) =>
      specHash(parseSpec(spec([{ model: 'stocks-{instrument}', version }, RIDGE]))),
    );
    assert.equal(new Set(hashes).size, 3);
    const once = parseSpec(spec([{ model: 'a', version: 'champion' }, RIDGE]));
    assert.deepEqual(parseSpec(once), once);
  });

  it('are models of every unit', () => {
    const members = [
      { model: 'stocks-{instrument}', version: 'champion' },
      { model: 'other', version: 2 },
      RIDGE,
    ];
    assert.deepEqual(memberModels(parseSpec(spec(members))), [
      'stocks-gspc',
      'other',
      'stocks-ixic',
    ]);
    assert.deepEqual(memberModels(parseSpec(spec([RIDGE, { family: 'linear' }]))), []);
  });

  const KNOWN = { model: 'known', version: 'champion' };
  for (const [what, value, path, message] of [
    ['no version', spec([{ model: 'x' }, RIDGE]), 'members[0].version', /is missing|must be/],
    ['version 0', spec([{ model: 'x', version: 0 }, RIDGE]), 'members[0].version', />=1|must be/],
    ['another word', spec([{ model: 'x', version: 'newest' }, RIDGE]), 'members[0].version', /./],
    [
      'a name that is none',
      spec([{ model: 'X!', version: 1 }, RIDGE]),
      'members[0].model',
      /lower case letters/,
    ],
    [
      'a family that is none',
      spec([KNOWN, { family: 'ridgee' }]),
      'members[1].family',
      /must be "lstm/,
    ],
    [
      'a field of a family that is none',
      spec([KNOWN, { family: 'lightgbm', hyperparameters: { round: 3 } }]),
      'members[1].hyperparameters.round',
      /no such field/,
    ],
    ['one twice', spec([KNOWN, RIDGE, KNOWN]), 'members[2]', /is members\[0\] again/],
    [
      'itself',
      spec([{ model: 'together-{instrument}', version: 'champion' }, RIDGE]),
      'members[0].model',
      /together-gspc is what this spec trains/,
    ],
    [
      'one instrument of a pool',
      spec([{ model: 'x-{instrument}', version: 1 }, RIDGE], POOLED),
      'members[0].model',
      /no one instrument/,
    ],
  ] as const) {
    it(`refuses ${what}`, () => {
      const issues = issuesOf(value);
      assert.ok(
        issues.some(
          (issue) => issue.path === `hyperparameters.${path}` && message.test(issue.message),
        ),
        JSON.stringify(issues),
      );
    });
  }

  it('of a pool want one scaler, as their own are inside', () => {
    const members = [{ model: 'x', version: 1 }, RIDGE];
    assert.deepEqual(issuesOf(spec(members, POOLED)), []);
    const [issue] = issuesOf(spec(members, { ...POOLED, scaling: {} }));
    assert.equal(issue!.path, 'scaling.per');
    assert.match(issue!.suggestion!, /per: unit/);
    assert.deepEqual(
      issuesOf(spec([RIDGE, { family: 'linear' }], { ...POOLED, scaling: {} })),
      [],
      'which others do not',
    );
  });

  it('are not searched: no choice brings others in', () => {
    const members = [KNOWN, RIDGE];
    const choices = [members, [{ model: 'secret', version: 1 }, RIDGE]];
    const tune = { space: { members: { choices } } };
    const [issue] = issuesOf(spec(members, { tune }));
    assert.equal(issue!.path, 'tune.space.members.choices[1]');
    assert.match(issue!.message, /other registered versions/);
    const own = { space: { members: { choices: [members, [KNOWN, { family: 'linear' }]] } } };
    assert.deepEqual(issuesOf(spec(members, { tune: own })), []);
  });
});
