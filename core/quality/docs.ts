import { qualityRules } from './catalogue.ts';

/** docs/quality.md: the rules as the catalogue has them. Written by test/golden/write-quality-docs.ts. */
export function qualityDocs(): string {
  const rows = qualityRules.map(
    ({ name, docs, threshold, severity }) =>
      `| \`${name}\` | ${docs} | ${threshold} | ${severity} |`,
  );
  return `# Data quality

<!-- Generated from core/quality by \`npx tsx test/golden/write-quality-docs.ts\`; edit the rules, not this file. -->

Every dataset version is judged before anything is learned from it. A **blocking** finding stops the experiment, names
the rows, and nothing is registered; a **warning** does so only with \`quality: { strict: true }\`. Bars are judged
adjusted (factors applied) and unfilled (before the policy \`data.missing\`).

## Score

\`\`\`
score = max(0, 1 - 0.3 min(1, missing / 1 %) - 0.2 min(1, flat / 2 %)
                 - 0.2 min(1, zero volume / 1 %) - 0.3 min(1, duplicates or OHLC errors / 0.1 %))
\`\`\`

Shares of bars; 1 is best. An experiment goes on with score >= \`quality.minScore\` (default 0.9) and no blocking
finding. Jumps are events, not errors: they never lower the score.

## Rules

| rule | what holds | found when | severity |
|---|---|---|---|
${rows.join('\n')}

The thresholds were fitted to a few dozen files of indices, US stocks and crypto markets: expect some false findings on
new instruments. A splice of two percent cannot be seen in the bars themselves: that is why a source that delivers
only newer bars must repeat at least 20 old ones, and is refused when they moved.
`;
}
