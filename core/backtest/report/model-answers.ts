/** Who answered when, told from the answers themselves. */
import type { AnswerColumns } from '../answers.ts';
import type { ModelAnswers } from './input.ts';

/** Who answered where no version did. */
export const NOBODY = 'nobody';

/** A version that was asked about bars that its training knew: its answers there prove nothing. */
export const knewItsPeriod = ({ from, trainedThrough, answers }: ModelAnswers): boolean =>
  answers === undefined
    ? trainedThrough !== undefined && trainedThrough >= from
    : answers.inSample > 0;

/** A run of sessions of one instrument that the same version answered. */
interface Stretch {
  readonly version: number;
  readonly from: number;
  to: number;
  asked: number;
  failed: number;
  inSample: number;
}

/**
 * Stretches of sessions that one version answered, in order of time. Stretches that several instruments have in common (one
 * model for all) become one, their answers added up, where it is the same model and `nameOf` calls them the same.
 * @param nameOf What people call a version of an instrument's model; 0 is nobody.
 * @param modelOf The registered model of an instrument; undefined: it is not to be told.
 */
export function modelAnswersOf(
  answers: ReadonlyMap<string, AnswerColumns>,
  nameOf: (version: number, instrument: string) => string,
  trainedThrough: (version: number, instrument: string) => number | undefined = () => undefined,
  modelOf: (instrument: string) => string | undefined = () => undefined,
): readonly ModelAnswers[] {
  const all = new Map<string, ModelAnswers>();
  for (const [instrument, columns] of answers) {
    for (const { version, from, to, ...counts } of stretchesOf(columns)) {
      const name = nameOf(version, instrument);
      const through = trainedThrough(version, instrument);
      const model = version === 0 ? undefined : modelOf(instrument);
      const key = JSON.stringify([name, model ?? null, from, to, through ?? null]);
      const same = all.get(key);
      const before = same?.answers;
      all.set(key, {
        version: name,
        ...(model !== undefined && { model }),
        instruments: [...(same?.instruments ?? []), instrument],
        ...{ from, to },
        ...(through !== undefined && { trainedThrough: through }),
        answers: {
          asked: counts.asked + (before?.asked ?? 0),
          failed: counts.failed + (before?.failed ?? 0),
          inSample: counts.inSample + (before?.inSample ?? 0),
        },
      });
    }
  }
  return [...all.values()].sort(
    (a, b) => a.from - b.from || (a.version < b.version ? -1 : a.version > b.version ? 1 : 0),
  );
}

function stretchesOf({ session, version, failed, inSample }: AnswerColumns): readonly Stretch[] {
  const stretches: Stretch[] = [];
  for (let row = 0; row < session.length; row++) {
    let one = stretches.at(-1);
    const time = session[row]!;
    if (one === undefined || one.version !== version[row]) {
      one = { version: version[row]!, from: time, to: time, asked: 0, failed: 0, inSample: 0 };
      stretches.push(one);
    }
    one.to = time;
    one.asked++;
    one.failed += failed[row]!;
    one.inSample += inSample[row]!;
  }
  return stretches;
}
