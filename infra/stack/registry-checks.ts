/** Does the artifact store hold what PostgreSQL names? One finding for each thing that does not fit. */
import type { ArtifactStore } from '../../registry/artifact-store.ts';
import type { Db } from '../../registry/in-transaction.ts';
import { findInconsistencies, type Inconsistency } from '../../registry/reconcile.ts';
import type { Finding } from './checks.ts';

const CHECK = 'registry';
/** A store that lost everything is one trouble, not ten thousand. */
const MAX_FINDINGS = 20;
/** Enough of a digest to find the row. */
const DIGEST_CHARS = 12;

interface Kind {
  /** What it is, for a person. */
  readonly title: (parts: readonly string[]) => string;
  readonly fix: (parts: readonly string[]) => string;
  readonly verdict: 'warning' | 'failed';
}

const short = (digest = ''): string => digest.slice(0, DIGEST_CHARS);

/** By the first part of `Inconsistency.object`. */
const KINDS: Readonly<Record<string, Kind>> = {
  version: {
    title: ([model, version]) => `version ${version} of ${model}`,
    fix: ([model, version]) =>
      `restore the artifact store from a backup; or train again (ratchet train ${model}), then ` +
      `ratchet model delete ${model} --version-number ${version}`,
    verdict: 'failed',
  },
  model: {
    title: ([model]) => `model ${model}`,
    fix: ([model]) =>
      `ratchet versions ${model}, then ratchet promote ${model} --version N: a promotion writes both anew`,
    verdict: 'failed',
  },
  // Nothing that serves needs these, and the next run stores the same bytes under the same name.
  dataset: {
    title: ([hash]) => `dataset version ${short(hash)}`,
    fix: () => 'run an experiment on these bars again: it stores them anew',
    verdict: 'warning',
  },
  upload: {
    title: ([sha256]) => `uploaded file ${short(sha256)}`,
    fix: () => 'run the spec that names the file again: it is uploaded anew',
    verdict: 'warning',
  },
};

/** Findings of the registry; a single `ok` where all fits. Throws where either server does not answer. */
export async function checkRegistry(db: Db, artifacts: ArtifactStore): Promise<readonly Finding[]> {
  const found = await findInconsistencies(db, artifacts);
  if (found.length === 0) {
    const detail = 'every artifact that is named is there, every champion is in order';
    return [{ check: CHECK, verdict: 'ok', detail }];
  }
  const findings = found.map(findingOf);
  const worstFirst = [
    ...findings.filter(({ verdict }) => verdict === 'failed'),
    ...findings.filter(({ verdict }) => verdict !== 'failed'),
  ];
  const rest = worstFirst.splice(MAX_FINDINGS);
  const [next] = rest;
  if (!next) return worstFirst;
  const detail = `${rest.length} more that do not fit`;
  const fix = 'restore the artifact store from a backup, then look again';
  return [...worstFirst, { check: CHECK, verdict: next.verdict, detail, fix }];
}

function findingOf({ object, problem }: Inconsistency): Finding {
  const [name = '', ...parts] = object.split('/');
  const kind = KINDS[name];
  if (!kind) {
    const fix = 'restore the database and the artifact store from one backup';
    return { check: CHECK, verdict: 'failed', detail: `${object}: ${problem}`, fix };
  }
  const { title, fix, verdict } = kind;
  return { check: CHECK, verdict, detail: `${title(parts)}: ${problem}`, fix: fix(parts) };
}
