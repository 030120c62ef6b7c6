import type { ModelColumns } from '../../core/strategies/index.ts';
import { seededUniform } from './seeded-uniform.ts';

/** Seeded answers of a model: most are answers, some abstentions, some failures, singly and in runs. */
export function modelColumns(rows: number, seed = 7): ModelColumns {
  const uniform = seededUniform(seed);
  const columns = {
    score: new Float64Array(rows),
    probabilityUp: new Float64Array(rows),
    change: new Float64Array(rows),
    abstained: new Uint8Array(rows),
    failed: new Uint8Array(rows),
  };
  let mood = 0;
  let down = 0;
  let silent = 0;
  for (let t = 0; t < rows; t++) {
    mood = 0.9 * mood + 0.6 * (uniform() - 0.5);
    const score = Math.max(-1, Math.min(1, mood));
    columns.score[t] = score;
    columns.probabilityUp[t] = (1 + score) / 2;
    columns.change[t] = 0.02 * score;
    if (silent === 0 && uniform() < 0.05) silent = 1 + Math.floor(uniform() * 30);
    columns.abstained[t] = silent > 0 ? 1 : 0;
    if (silent > 0) silent--;
    if (down === 0 && uniform() < 0.02) down = 1 + Math.floor(uniform() * 40);
    if (down > 0) {
      down--;
      columns.failed[t] = 1;
      columns.score[t] = columns.probabilityUp[t] = columns.change[t] = NaN;
    }
  }
  return columns;
}
