/** What has to be told of bars that were revised after they were known first; `closeBy` a share. */
export const revisionWarnings = (
  all: readonly {
    readonly instrument: string;
    readonly bars: number;
    readonly closeBy: number;
  }[],
): readonly string[] =>
  all
    .filter(({ bars }) => bars > 0)
    .map(
      ({ instrument, bars, closeBy }) =>
        `${bars === 1 ? '1 bar' : `${bars} bars`} of ${instrument} in the period had been known otherwise at first (closes by up to ${(100 * closeBy).toPrecision(2)} %). Strategies, stops and fills see them as they are known now; only the answers of a model rest on what was known then.`,
    );
