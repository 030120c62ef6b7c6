/** Columns of a row of Arrow, in this order; behind them those of each horizon. */
export const ARROW_COLUMNS = [
  ...['cursor', 'instrument', 'at', 'version', 'asOf', 'lastClose', 'staleBars', 'stale'],
  ...['consistency', 'dissimilarity', 'outlier', 'abstain', 'fallback', 'problem'],
] as const;
