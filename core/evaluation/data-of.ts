import { createHash } from 'node:crypto';
import type { Evaluation } from './evaluation.ts';
import type { EvaluationInput } from './input.ts';

/** What was forecast from what. */
export function dataOf(input: EvaluationInput): Evaluation['data'] {
  return {
    instruments: [...input.instruments],
    timeframe: input.timeframe,
    featureSet: input.featureSet,
    featureHash: input.featureHash,
    features: input.featureCount,
    lookback: input.lookback,
    ...(input.outliers !== undefined && { outliers: input.outliers }),
    labelKind: input.label.name,
    ...(input.label.task === 'classification' && {
      labelParams: { ...input.labelParams },
      classes: input.label.classes.map((name, of) => ({
        name,
        priors: input.horizons.map((_, k) => input.classes?.priors[k]?.[of] ?? 0),
      })),
    }),
    horizons: [...input.horizons],
    datasets: [...input.datasets],
    quality: input.quality.map((report) => ({
      instrument: report.instrument,
      rows: report.rows,
      score: report.score,
      minScore: report.minScore,
      passed: report.passed,
      findings: report.findings.map(({ rule, severity, message, count }) => ({
        rule,
        severity,
        message,
        count,
      })),
    })),
  };
}

/** Names the test rows by content: the same rows, whatever was trained. */
export function rowsDigest(input: EvaluationInput): string {
  const hash = createHash('sha256').update(`rows/1 ${input.label.name} ${input.horizons.join()}\n`);
  for (const column of [input.rows.openTime, input.rows.labels]) {
    const bytes = new DataView(new ArrayBuffer(column.length * 8));
    column.forEach((value, i) => bytes.setFloat64(i * 8, value, true));
    hash.update(new Uint8Array(bytes.buffer));
  }
  return hash.digest('hex');
}
