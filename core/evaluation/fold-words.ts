import type { Evaluation } from './evaluation.ts';

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const signed = (share: number): string => `${share > 0 ? '+' : ''}${percent(share)}`;

/** How far the folds lie apart: mean and SD (ddof 1) of their skill. */
export function spreadText(folds: NonNullable<Evaluation['folds']>): string {
  const skills = folds.map(({ skill }) => skill ?? NaN);
  const mean = skills.reduce((a, b) => a + b, 0) / skills.length;
  const squares = skills.reduce((sum, x) => sum + (x - mean) ** 2, 0);
  const sd = Math.sqrt(squares / (skills.length - 1));
  if (!Number.isFinite(mean) || !Number.isFinite(sd)) return 'A fold has no finite loss.';
  const better = skills.filter((x) => x > 0).length;
  return (
    `Skill over ${folds.length} folds: mean ${signed(mean)}, SD ${percent(sd)}; ` +
    `above zero in ${better}.`
  );
}
