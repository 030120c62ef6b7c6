import { describeCrashes } from '../support/crash-suite.ts';
import { crashSpec, approvedRound } from '../support/crash-product.ts';

describeCrashes({
  title: 'kill -9 within a trial that a person approves, up to its promotion',
  spec: crashSpec({ kind: 'manual', maxDays: 14 }),
  points: [
    {
      name: 'trial opened',
      ...{ table: 'trial', on: 'INSERT', writer: 'workers' },
    },
    {
      name: 'judgement kept',
      ...{ table: 'trial', on: 'UPDATE', writer: 'workers' },
      when: 'NEW.judgement IS DISTINCT FROM OLD.judgement',
    },
    {
      name: 'end decision kept',
      ...{ table: 'decision', on: 'INSERT', writer: 'workers' },
      when: "NEW.evidence ? 'gateDecision'",
    },
    {
      name: 'intent written',
      ...{ table: 'promotion', on: 'INSERT', writer: 'workers' },
    },
    {
      name: 'champion switched',
      ...{ table: 'champion', on: 'INSERT', writer: 'workers' },
    },
    {
      name: 'trial closed',
      ...{ table: 'trial', on: 'UPDATE', writer: 'workers' },
      when: "NEW.status <> 'running' AND OLD.status = 'running'",
    },
  ],
  reduced: 2,
  live: approvedRound,
  adds: {
    'retrain completed': 1,
    'trial promoted': 1,
    'promotion promoted': 1,
    champion: 1,
    generations: 1,
    'champion that serves': 0,
  },
});
