import { RatchetError } from '../errors.ts';

/** One thing that is wrong with a spec: where, what, and what to do about it. */
export interface SpecIssue {
  /** Such as `data.instruments[0].id`; empty: the spec as a whole. */
  readonly path: string;
  readonly message: string;
  /** What to write instead, where that can be said. */
  readonly suggestion?: string;
}

/** A spec that cannot be run; `issues` holds all that is wrong with it, not only the first thing. */
export class SpecError extends RatchetError {
  readonly issues: readonly SpecIssue[];

  constructor(issues: readonly SpecIssue[]) {
    super('spec.invalid', issues.map(issueText).join('\n'), { details: { issues } });
    this.issues = issues;
  }
}

/** An issue as one line for people. */
export function issueText({ path, message, suggestion }: SpecIssue): string {
  return `${path === '' ? 'spec' : path}: ${message}${suggestion ? `. ${suggestion}` : ''}`;
}

/** `['data', 'instruments', 0]` as `data.instruments[0]`. */
export function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
}
