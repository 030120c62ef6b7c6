/** Times of bars as a person reads them. */

const DATE_LENGTH = '2020-01-03'.length;
const MINUTE_LENGTH = '2020-01-03T15:00'.length;

/** A bar's name without what says nothing: a date as it is, an instant (ISO 8601, UTC) to the minute. */
export const shortBarName = (name: string): string =>
  name.length <= DATE_LENGTH ? name : `${name.slice(0, MINUTE_LENGTH)}Z`;

/** An instant (ISO 8601, UTC) of the bars that `sibling` names: its date where those are daily. */
export const barNameLike = (instant: string, sibling: string): string =>
  sibling.length <= DATE_LENGTH ? instant.slice(0, DATE_LENGTH) : shortBarName(instant);
