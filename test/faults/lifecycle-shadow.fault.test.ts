import { describeCrashes } from '../support/crash-suite.ts';
import { crashSpec, shadowRound } from '../support/crash-product.ts';

describeCrashes({
  title: 'kill -9 within a shadow trial that ends undecided',
  spec: crashSpec({ kind: 'shadow', maxDays: 1 }),
  points: [
    {
      name: 'look recorded',
      ...{ table: 'trial', on: 'UPDATE', writer: 'workers' },
      when: "NEW.status = 'running' AND NEW.progress IS DISTINCT FROM OLD.progress",
    },
    {
      name: 'end decision kept',
      ...{ table: 'decision', on: 'INSERT', writer: 'workers' },
      when: "NEW.evidence ? 'gateDecision'",
    },
    {
      name: 'trial closed',
      ...{ table: 'trial', on: 'UPDATE', writer: 'workers' },
      when: "NEW.status <> 'running' AND OLD.status = 'running'",
    },
  ],
  reduced: 1,
  live: shadowRound,
  adds: { 'retrain completed': 1, 'decision of a trial': 1, 'trial undecided': 1, champion: 0 },
});
