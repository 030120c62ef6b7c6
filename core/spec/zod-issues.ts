import { z } from 'zod';
import { knownKeysAt } from './known-keys.ts';
import { nearestName } from './nearest-name.ts';
import { pathText, type SpecIssue } from './spec-error.ts';

/** The nearest of the known names, and the first of them. */
export function suggestionFor(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  const list = known.length <= 12 ? known.join(', ') : `${known.slice(0, 12).join(', ')}, ...`;
  return nearest ? `Did you mean "${nearest}"? Known: ${list}` : `Known: ${list}`;
}

/** zod's issues in our words; `at` is where the schema's value stands in the spec. */
export function issuesOf(
  error: z.ZodError,
  schema: z.ZodType,
  at: readonly PropertyKey[],
): SpecIssue[] {
  return error.issues.flatMap((issue) => issueOf(issue, schema, at));
}

function issueOf(
  issue: z.core.$ZodIssue,
  schema: z.ZodType,
  at: readonly PropertyKey[],
): SpecIssue[] {
  const path = pathText([...at, ...issue.path]);
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeysAt(schema, issue.path, issue.input);
    return issue.keys.map((key) => {
      const where = pathText([...at, ...issue.path, key]);
      // Known in another form of what stands here, such as a member that is trained and one that is registered.
      if (known.includes(key))
        return { path: where, message: 'does not go with what stands beside it' };
      const suggestion = suggestionFor(key, known);
      return { path: where, message: 'there is no such field', suggestion };
    });
  }
  if (issue.code === 'invalid_union') {
    return unionIssue(issue, schema, at);
  }
  if (issue.code === 'invalid_value') return [choiceIssue(path, issue.input, issue.values)];
  return [{ path, message: wordsOf(issue) }];
}

/** One of a few: the nearest of them is proposed. */
function choiceIssue(path: string, given: unknown, known: readonly unknown[]): SpecIssue {
  const names = known.filter((name) => typeof name === 'string');
  const nearest = typeof given === 'string' ? nearestName(given, names) : undefined;
  return {
    path,
    message: `must be ${known.map((name) => JSON.stringify(name)).join(' or ')}`,
    ...(nearest === undefined ? {} : { suggestion: `Did you mean "${nearest}"?` }),
  };
}

/** Of a union, the alternative that came furthest says what is wrong. */
function unionIssue(
  issue: z.core.$ZodIssueInvalidUnion,
  schema: z.ZodType,
  at: readonly PropertyKey[],
): SpecIssue[] {
  const path = pathText([...at, ...issue.path]);
  if ('options' in issue && issue.options) {
    const { input, discriminator = '' } = issue;
    const given = z.looseObject({ [discriminator]: z.unknown() }).safeParse(input).data;
    return [choiceIssue(path, given?.[discriminator], issue.options)];
  }
  const candidates = issue.errors.filter(
    (errors) => !errors.some((e) => e.code === 'invalid_type' && e.path.length === 0),
  );
  const chosen = candidates.toSorted((a, b) => wrongs(a) - wrongs(b))[0];
  if (!chosen) {
    const expected = issue.errors
      .flatMap((errors) => errors.map((e) => (e.code === 'invalid_type' ? e.expected : '')))
      .filter((text) => text !== '');
    const words = [...new Set(expected)].join(' or ');
    return [{ path, message: words ? `must be ${words}` : wordsOf(issue) }];
  }
  return chosen.flatMap((inner) =>
    issueOf({ ...inner, path: [...issue.path, ...inner.path] }, schema, at),
  );
}

/** How much an alternative finds wrong: each unknown field counts. */
const wrongs = (issues: readonly z.core.$ZodIssue[]): number =>
  issues.reduce((sum, one) => sum + (one.code === 'unrecognized_keys' ? one.keys.length : 1), 0);

function wordsOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') {
    return issue.message.includes('received undefined')
      ? 'is missing'
      : `must be ${issue.expected}${issue.message.includes('received') ? `, not ${issue.message.split('received ').at(-1)}` : ''}`;
  }
  return issue.message;
}
