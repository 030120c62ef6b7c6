import { kept } from '../core/kept.ts';
import type { LifecycleOrders } from './orchestrator-lifecycle.ts';

export interface TemporalAddress {
  readonly address: string;
  readonly namespace: string;
}

export type WorkflowState = 'running' | 'ended' | 'unknown';

/** What the API asks of Temporal. Nothing on the predict path touches it. */
export interface Orchestrator extends LifecycleOrders {
  /** Throws `temporal.unavailable` when Temporal does not answer. */
  ping(): Promise<void>;
  /** Starts `experiment/<id>`; false when that workflow exists already. */
  startExperiment(experimentId: string): Promise<boolean>;
  /** Asks an experiment to stop; false when it does not run. */
  cancelExperiment(experimentId: string): Promise<boolean>;
  experimentState(experimentId: string): Promise<WorkflowState>;
  /** Starts `evaluation/<id>`; false when that workflow exists already. */
  startEvaluation(evaluationId: string): Promise<boolean>;
  evaluationState(evaluationId: string): Promise<WorkflowState>;
  /** Starts `parity-run/<id>`; false when that workflow exists already. */
  startParity(model: string, reportId: string): Promise<boolean>;
  parityState(report: { id: string; model: string; slot: Date | null }): Promise<WorkflowState>;
  /** Asks an evaluation to stop; false when it does not run. */
  cancelEvaluation(evaluationId: string): Promise<boolean>;
  /** Starts `backtest/<id>`; false when that workflow exists already. */
  startBacktest(backtestId: string): Promise<boolean>;
  backtestState(backtestId: string): Promise<WorkflowState>;
  /** Asks a backtest to stop, and the experiments that train its models; false when it does not run. */
  cancelBacktest(backtestId: string): Promise<boolean>;
  /** Starts `predict-batch/<id>`; false when that workflow exists already. */
  startBatchPrediction(batchPredictionId: string): Promise<boolean>;
  batchPredictionState(batchPredictionId: string): Promise<WorkflowState>;
  /** Asks a batch prediction to stop; false when it does not run. */
  cancelBatchPrediction(batchPredictionId: string): Promise<boolean>;
  /** Starts `alert/<id>`, which delivers it; false when that was begun before. */
  startAlert(alertId: string): Promise<boolean>;
  close(): Promise<void>;
}

type Connect = (at: TemporalAddress) => Promise<Orchestrator>;
const connectLate: Connect = async (at) =>
  (await import('./orchestrator-client.ts')).connectOrchestrator(at);

/**
 * Loads Temporal's client when something is first asked of it, and connects then: a replica that
 * only predicts goes without its time and memory.
 */
export function openOrchestrator(at: TemporalAddress, connect = connectLate): Orchestrator {
  let opened: Orchestrator | undefined;
  const client = kept(async () => (opened = await connect(at)));
  return {
    ping: async () => (await client()).ping(),
    startExperiment: async (id) => (await client()).startExperiment(id),
    cancelExperiment: async (id) => (await client()).cancelExperiment(id),
    experimentState: async (id) => (await client()).experimentState(id),
    startEvaluation: async (id) => (await client()).startEvaluation(id),
    evaluationState: async (id) => (await client()).evaluationState(id),
    startParity: async (model, reportId) => (await client()).startParity(model, reportId),
    parityState: async (report) => (await client()).parityState(report),
    cancelEvaluation: async (id) => (await client()).cancelEvaluation(id),
    startBacktest: async (id) => (await client()).startBacktest(id),
    backtestState: async (id) => (await client()).backtestState(id),
    cancelBacktest: async (id) => (await client()).cancelBacktest(id),
    startBatchPrediction: async (id) => (await client()).startBatchPrediction(id),
    batchPredictionState: async (id) => (await client()).batchPredictionState(id),
    cancelBatchPrediction: async (id) => (await client()).cancelBatchPrediction(id),
    startAlert: async (id) => (await client()).startAlert(id),
    updateLifecycle: async (order) => (await client()).updateLifecycle(order),
    signalLifecycle: async (model, signal, payload) =>
      (await client()).signalLifecycle(model, signal, payload),
    startSettle: async (input) => (await client()).startSettle(input),
    startMonitor: async (input) => (await client()).startMonitor(input),
    endLifecycle: async (model, reason) => (await client()).endLifecycle(model, reason),
    close: async () => opened?.close(),
  };
}
