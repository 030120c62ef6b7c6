import type { Evaluation } from '../evaluation.ts';
import { figures, note } from './html.ts';
import type { Plot } from './plots.ts';
import { barsText } from './svg.ts';

/** How much each feature took part in the served seed, by horizon. */
export function importanceSection(
  importance: NonNullable<Evaluation['importance']>,
  plots: readonly Plot[],
): string[] {
  return [
    ...importance.map(({ horizon, used, features }) =>
      note(
        `${barsText(horizon)}: ${used} features took part; the first ${features.length} are shown.`,
      ),
    ),
    figures(plots.filter(({ name }) => name.startsWith('importance'))),
    note(
      'Share of the gain: by how much splits on a feature lowered the training loss. It says what the model used, not what would make it worse to lose, and ' +
        'features that move together share it as chance has it.',
    ),
  ];
}
