/** What a drift report says, in plain sentences. */
import { TOP } from './ranks.ts';
import type {
  DriftReport,
  InputDrift,
  PredictionDrift,
  QualityDrift,
  RankVerdict,
  Staleness,
} from './schemas.ts';

type Facts = Omit<DriftReport, 'words'>;

const NAMED_FEATURES = 5;
/** Two alarms within a month are told as one event. */
const AROUND_MS = 30 * 86_400_000;

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
const day = (time: string): string => time.slice(0, 10);
const count = (n: number, thing: string): string => `${n} ${thing}${n === 1 ? '' : 's'}`;
const figure = (value: number): string => String(Number(value.toPrecision(3)));

/** The verdict first, then one or two sentences for each thing that was looked at. */
export function wordsOf(facts: Facts): string[] {
  return [
    verdictWords(facts),
    ...performanceWords(facts.performance),
    ...each(facts.inputs, ({ drift }) => inputWords(drift)),
    ...each(facts.predictions, ({ drift }) => predictionWords(drift)),
    ...each(facts.quality, ({ drift }) => qualityWords(drift)),
    ...each(facts.staleness, ({ staleness }) => stalenessWords(staleness)),
    facts.correction,
  ];
}

/** Names the instrument only where there is more than one. */
function each<T extends { readonly instrument: string }>(
  entries: readonly T[],
  words: (entry: T) => readonly string[],
): string[] {
  return entries.flatMap((entry) =>
    words(entry).map((text) => (entries.length > 1 ? `${entry.instrument}: ${text}` : text)),
  );
}

const SIGNALS: Readonly<Record<DriftReport['signals'][number], string>> = {
  loss: 'the forecasts became worse',
  stale: 'the model is too old',
  'input-twice': 'the inputs drifted in two reports in a row',
};

function verdictWords({ verdict, signals, inputVerdict }: Facts): string {
  const asks = signals.map((signal) => SIGNALS[signal]).join(', and ');
  const asked = `A retrain is asked for: ${asks}.`;
  switch (verdict) {
    case 'drift':
      return `Drift. ${asked}`;
    case 'warn': {
      if (signals.length > 0) return `Warning. ${asked}`;
      const once =
        inputVerdict === 'drift'
          ? 'The inputs drifted; a retrain is asked for if the next report finds it again.'
          : 'Something is unusual, but nothing that a retrain would answer.';
      return `Warning. ${once}`;
    }
    case 'notCalibrated':
      return 'Nothing unusual was found, but the losses cannot be judged yet.';
    case 'none':
      return 'No drift: losses and inputs are as usual.';
  }
}

function performanceWords(performance: Facts['performance']): string[] {
  if (!performance) return ['Losses: no forecast has been settled yet.'];
  const { calibration, state, alarms, unit } = performance;
  if (calibration.status === 'notCalibrated') {
    return [
      `Losses: not calibrated, for ${calibration.reason}. Until then only age and inputs can ask for a retrain.`,
    ];
  }
  const values = unit === 'day' ? "days' mean losses" : 'losses';
  const basis = `The threshold rests on ${calibration.values} ${values} of this model: as far as they tell, an unchanged year crosses it with a probability of ${percent(calibration.rate)} (simulated: 2 to 21 %, the more the longer the horizon).`;
  const last = alarms.at(-1);
  if (last !== undefined) {
    return [
      `Losses: they rose beyond the threshold of ${figure(calibration.c)} on ${day(last)}${alarms.length > 1 ? ` (${count(alarms.length, 'alarm')} since the last report)` : ''}. They are measured in units of the market's variance, so a wilder market alone does not count.`,
      ...referenceWords(performance, last),
      basis,
    ];
  }
  if (state.cooldown > 0) {
    return [
      `Losses: the sum was reset after the alarm of ${day(state.lastAlarm!)}; ${count(state.cooldown, 'more value')} are ignored before it counts again.`,
      basis,
    ];
  }
  const share = calibration.c > 0 ? state.s / calibration.c : 0;
  return [
    `Losses: as usual; the sum stands at ${figure(state.s)}, ${percent(share)} of its threshold of ${figure(calibration.c)}.`,
    basis,
  ];
}

/** Did the forecast that cannot become worse alarm around the same time? */
function referenceWords({ reference }: NonNullable<Facts['performance']>, alarm: string): string[] {
  if (!reference) return [];
  const since = new Date(Date.parse(alarm) - AROUND_MS).toISOString();
  const too = reference.path.some((point) => point.alarm && point.time >= since);
  return [
    too
      ? `The losses of ${reference.name}, which cannot become worse, alarmed around then too: the market may be behind it rather than the model.`
      : `The losses of ${reference.name}, which cannot become worse, did not: it is the model rather than the market.`,
  ];
}

const tooFew = (what: string, drift: { earlierWindows: number; earlierWindowsNeeded: number }) =>
  `${what}: not judged, for there are ${count(drift.earlierWindows, 'earlier window')} to compare with, and ${drift.earlierWindowsNeeded} are needed.`;

function inputWords(drift: InputDrift): string[] {
  const { verdict, features, classifier, share, window, earlierWindows } = drift;
  if (verdict === 'notEnoughHistory') return [tooFew('Inputs', drift)];
  const judged = features.filter(({ p }) => p !== null);
  const top = judged.filter((feature) => feature.top);
  const told = classifier
    ? `a classifier tells the window from the rows before it with an AUC of ${figure(classifier.auc)} (${classifier.exceeded ? 'above' : 'not above'} the ${figure(classifier.limit)} that 95 % of the earlier windows stay below)`
    : 'too few for the classifier to be asked';
  const found = `Inputs: ${verdict === 'drift' ? 'drifted' : 'as usual'}. ${top.length} of ${count(judged.length, 'feature')} (${percent(share ?? 0)}) changed more than in 95 % of the ${earlierWindows} earlier windows of ${window.rows} rows, and ${told}. Drift needs 20 % of the features and the classifier.`;
  const named = [...top].sort((a, b) => a.p! - b.p!).slice(0, NAMED_FEATURES);
  const names = named.map(({ name }) => name).join(', ');
  const missing = features.filter((feature) => feature.missing > 0);
  return [
    found,
    ...(named.length > 0 ? [`Inputs that changed most: ${names}.`] : []),
    ...(missing.length > 0
      ? [
          `Inputs with missing values in the window: ${missing
            .slice(0, NAMED_FEATURES)
            .map(({ name, missing: of }) => `${name} (${percent(of)})`)
            .join(', ')}${missing.length > NAMED_FEATURES ? ', ...' : ''}.`,
        ]
      : []),
  ];
}

function predictionWords(drift: PredictionDrift): string[] {
  const { verdict, p, earlierWindows } = drift;
  if (verdict === 'notEnoughHistory') return [tooFew('Forecasts', drift)];
  if (p === null) return ['Forecasts: not judged, for some window holds none.'];
  const rank = `they differ from those before them more than in ${percent(1 - p)} of the ${earlierWindows} earlier windows`;
  return [`Forecasts: ${verdict === 'drift' ? 'unusual; ' : 'as usual; '}${rank}.`];
}

function qualityWords(drift: QualityDrift): string[] {
  const { verdict, score, usualScore, findings } = drift;
  const usual = usualScore === null ? '' : ` (usually ${usualScore.toFixed(3)})`;
  const scored = `the newest ${drift.rows} bars score ${score.toFixed(3)}${usual}`;
  const found = findings.slice(0, NAMED_FEATURES).map(({ message }) => `Data quality: ${message}.`);
  if (verdict === 'notEnoughHistory')
    return [`${tooFew('Data quality', drift)} ${sentence(scored)}`];
  if (verdict === 'drift') return [`Data quality: worse than usual; ${scored}.`, ...found];
  return [`Data quality: as usual; ${scored}.`];
}

const sentence = (text: string): string => `${text[0]!.toUpperCase()}${text.slice(1)}.`;

function stalenessWords(staleness: Staleness): string[] {
  const { lagBars, expiresAfter, dataStale, ageSessions, maxAge, modelStale } = staleness;
  const bars = dataStale
    ? `The newest bar is ${count(lagBars, 'bar')} late, and ${expiresAfter} are allowed: look at the source, for a retrain would not help.`
    : `The newest bar is ${lagBars === 0 ? 'on time' : `${count(lagBars, 'bar')} late, within the ${expiresAfter} allowed`}.`;
  if (ageSessions === null) return [bars, 'How old the model is stands in no record.'];
  if (ageSessions === 0) return [bars, 'The model has learnt from the newest session.'];
  const age = `The model has learnt nothing from the last ${count(ageSessions, 'session')}`;
  return [
    bars,
    modelStale ? `${age}, more than the ${maxAge} allowed.` : `${age} (${maxAge} are allowed).`,
  ];
}

/** What keeps many looks from finding something by chance. */
export function correctionWords(inputs: readonly { readonly drift: InputDrift }[]): string {
  const judged = inputs.filter(
    ({ drift }) => drift.verdict !== ('notEnoughHistory' satisfies RankVerdict),
  );
  const features = Math.max(0, ...judged.map(({ drift }) => drift.features.length));
  if (judged.length === 0) {
    return 'Corrections: the loss monitor is one test, calibrated for a whole year of looks.';
  }
  const { correction, earlierWindows } = judged[0]!.drift;
  const each = correction.applied
    ? `single features are flagged by Benjamini-Hochberg at a false discovery rate of ${percent(correction.q)}`
    : `single features are ranked but not flagged: with ${features} features that takes ${correction.windowsNeeded} windows, and there are ${earlierWindows}`;
  const several = inputs.length > 1 ? ' Of several instruments at least half must drift.' : '';
  return `Corrections: the loss monitor is one test, calibrated for a whole year of looks; the distances of a feature are ranked together (top ${percent(TOP)}); ${each}.${several}`;
}
