import { describeCrashes } from '../support/crash-suite.ts';
import { crashSpec, shadowRound } from '../support/crash-product.ts';

describeCrashes({
  title: 'kill -9 within a retrain, up to the trial that it proposes',
  spec: crashSpec({ kind: 'shadow', maxDays: 1 }),
  points: [
    {
      name: 'retrain begun with its experiment',
      ...{ table: 'retrain', on: 'INSERT', writer: 'workers' },
    },
    {
      name: 'first step of the experiment kept',
      ...{ table: 'step_cache', on: 'INSERT', writer: 'workers' },
    },
    {
      name: 'version registered',
      ...{ table: 'model_version', on: 'INSERT', writer: 'workers' },
    },
    {
      name: 'gate decision kept',
      ...{ table: 'decision', on: 'INSERT', writer: 'workers' },
      when: "NOT NEW.evidence ? 'gateDecision'",
    },
    {
      name: 'challenger proposed, its trial opened',
      ...{ table: 'trial', on: 'INSERT', writer: 'workers' },
    },
    {
      name: 'experiment ended',
      ...{ table: 'experiment', on: 'UPDATE', writer: 'workers' },
      when: "NEW.status = 'completed' AND OLD.status <> 'completed'",
    },
    {
      name: 'retrain finished',
      ...{ table: 'retrain', on: 'UPDATE', writer: 'workers' },
      when: "NEW.status <> 'running'",
    },
  ],
  reduced: 2,
  live: shadowRound,
  adds: { 'retrain completed': 1, 'version registered': 1, 'trial undecided': 1, champion: 0 },
});
