import type { ClassLabel } from '../labels/index.ts';
import type { ClassStatistics } from '../features/prepared.ts';
import type { ConfidenceCalibration } from '../packages/manifest.ts';
import type { ClassAnswer, Direction } from './answer.ts';
import { classConfidence } from './class-confidence.ts';

const DIRECTIONS: Readonly<Record<-1 | 0 | 1, Direction>> = { [-1]: 'down', 0: 'neutral', 1: 'up' };

/** Place of the most probable class; of equal ones the first. */
export const mostProbable = (p: Float64Array): number => p.indexOf(Math.max(...p));

/** How much more a rise is foretold than a fall: the probabilities of rising classes less those of falling ones. */
export const riseScore = ({ directions }: ClassLabel, p: Float64Array): number =>
  p.reduce((sum, probability, of) => sum + directions[of]! * probability, 0);

/** What the probabilities of one horizon's classes say. */
export interface ClassForecast {
  readonly answer: ClassAnswer;
  /** Expected simple return: sum_c p_c x the mean return of class c in the training part. */
  readonly change: number;
  readonly direction: Direction;
  readonly confidence: number | null;
  readonly probabilityUp: number | null;
}

interface ClassFacts {
  readonly label: ClassLabel;
  readonly statistics: ClassStatistics;
  readonly calibration: ConfidenceCalibration;
}

/** `threshold`: the least move that leaves "nothing changes", as a fraction of the close; null where it is not known. */
export function classForecast(
  { label, statistics, calibration }: ClassFacts,
  k: number,
  p: Float64Array,
  threshold: number | null,
): ClassForecast {
  const of = mostProbable(p);
  const changes = statistics.changes[k]!;
  const { confidence, probabilityUp } = classConfidence(
    calibration,
    k,
    p[of]!,
    riseScore(label, p),
  );
  return {
    answer: {
      class: label.classes[of]!,
      probabilities: Object.fromEntries(label.classes.map((name, i) => [name, p[i]!])),
      threshold,
    },
    change: p.reduce((sum, probability, i) => sum + probability * changes[i]!, 0),
    direction: DIRECTIONS[label.directions[of]!],
    confidence,
    probabilityUp,
  };
}
