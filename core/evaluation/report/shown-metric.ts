import { classMetrics } from '../../metrics/classes/index.ts';
import { metrics } from '../../metrics/index.ts';
import type { MetricFacts } from '../../metrics/metric.ts';
import { number4, percent1 } from './html.ts';

/** A metric and how its values are printed. */
export interface ShownMetric extends MetricFacts {
  readonly show: (value: number) => string;
}

/** How a metric of an evaluation is shown; one that this release does not know, by its name alone. */
export function shownMetric(name: string, classes: readonly string[] | undefined): ShownMetric {
  const catalogue: readonly MetricFacts[] = classes ? classMetrics(classes) : metrics;
  const facts = catalogue.find((metric) => metric.name === name) ?? {
    name,
    title: name,
    docs: name,
    direction: 'lower',
    format: 'number',
  };
  return { ...facts, show: facts.format === 'percent' ? percent1 : number4 };
}
