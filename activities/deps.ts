import type { Kysely } from 'kysely';
import type { AdviceFacts, ExchangeRecord } from '../core/advice/index.ts';
import type { Alert } from '../core/alerts/index.ts';
import type { TrustedKeys } from '../core/packages/signature.ts';
import type { SourceContext } from '../core/sources/source.ts';
import type { ArtifactStore } from '../registry/artifact-store.ts';
import type { NewExperimentEvent } from '../registry/experiments.ts';
import type { Database } from '../registry/tables.ts';

/** A dataset an operator named: what a spec may refer to. */
export interface NamedDataset {
  readonly name: string;
  readonly source: string;
  readonly params: unknown;
  /** Hosts its source may reach; empty: none. */
  readonly hosts: readonly string[];
  /** Folder its files lie in; absent: it reads no files. */
  readonly root?: string;
  /** URL of the database that its source asks, read where it is used: a secret that nothing else holds. */
  readonly connection?: () => string;
  /** The vendor's key, read where it is used: nothing else holds it. */
  readonly secret?: () => string;
  /** Why it can deliver nothing on this machine, in words, where that is known. */
  readonly absent?: string;
  /** Instruments it can deliver, where that is known. */
  readonly instruments?: readonly string[];
  /** Calendar by name, e.g. `nyse`, `24x7`. */
  readonly calendar: string;
  /** What licence or terms the data has, in words. */
  readonly notice?: string;
}

export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  debug(fields: object, message: string): void;
}

/** Trains in a child process of its own; killing the child is how a cancel frees the core. */
export interface Trainer {
  train(job: TrainingJob, callbacks: TrainingCallbacks, signal: AbortSignal): Promise<Uint8Array>;
}

export interface TrainingJob {
  readonly family: string;
  readonly params: unknown;
  readonly seed: number;
  /** Encoded `Prepared`. */
  readonly prepared: Uint8Array;
  /** Of a refit: the summary of the fit that is repeated. */
  readonly twin?: import('../core/models/model.ts').FitSummary | undefined;
  readonly checkpoint: Uint8Array | undefined;
  /** Encoded fit bundle that this fit goes on from. */
  readonly parent?: Uint8Array | undefined;
  /** Registered versions that the hyperparameters name, in that order. */
  readonly members?: readonly TrainingMember[] | undefined;
  readonly multiplyByClose: boolean;
}

/** A registered version that is part of a fit. */
export interface TrainingMember {
  readonly model: string;
  readonly version: number;
  /** ms UTC. */
  readonly trainedThrough: number;
  /** Encoded fit bundle. */
  readonly bundle: Uint8Array;
}

export interface TrainingCallbacks {
  onEpoch(event: import('../core/models/model.ts').EpochEvent): void;
  onBatch(at: { epoch: number; batch: number; batches: number }): void;
  /** About once a second while the child runs and is not silent for too long. */
  onAlive?(): void;
  /** Resolves once the checkpoint is durable (or throws when this attempt is fenced off). */
  onCheckpoint(bytes: Uint8Array, at: { epoch: number; batch: number }): Promise<void>;
}

/** The operator's webhooks. Their addresses and secrets stay with the worker. */
export interface Webhooks {
  /** Where people reach the API; absent: alerts name paths. */
  readonly publicUrl: string | undefined;
  /** Names of those that want this alert, in the order of the file. */
  wanting(alert: Pick<Alert, 'event' | 'model' | 'payload'>): readonly string[];
  /**
   * One signed POST. Throws RatchetError: permanent where the webhook is not defined, has no secret or
   * leads to an address that is not allowed; otherwise where no answer came.
   */
  post(
    webhook: string,
    message: { readonly id: string; readonly body: string },
  ): Promise<WebhookAnswer>;
}

export interface WebhookAnswer {
  readonly status: number;
  /** The pause that the receiver asked for. */
  readonly retryAfterS?: number;
}

/** The operator's two endpoints that advise on sizes. Their addresses and keys stay with the worker. */
export interface AskedModels {
  /** sha256 of all that an answer depends on beside the question: addresses, language models, prompt. */
  readonly identity: string;
  /** Of the language models, as the operator names them. */
  readonly names: { readonly advisor: string; readonly checker: string };
  /** Percentage points that two answers may lie apart and still agree. */
  readonly tolerancePoints: number;
  /** What became of asking the first and, where it gave a size, the second. Never throws for what the other side does. */
  ask(facts: AdviceFacts): Promise<readonly ExchangeRecord[]>;
}

/** What activities get from the worker that runs them. Nothing else is reached from an activity. */
export interface ActivityDeps {
  readonly db: Kysely<Database>;
  readonly artifacts: ArtifactStore;
  readonly datasets: ReadonlyMap<string, NamedDataset>;
  readonly sourceContext: (dataset: NamedDataset, signal: AbortSignal) => SourceContext;
  readonly trainer: Trainer;
  readonly webhooks: Webhooks;
  /** Absent: none are configured. */
  readonly askedModels?: AskedModels | undefined;
  /** Ed25519 signature of a manifest by this worker's key. */
  readonly sign: (bytes: Uint8Array) => Uint8Array;
  /** Whose signatures make a package one of ours. */
  readonly trustedKeys: TrustedKeys;
  readonly events: { append(event: NewExperimentEvent): Promise<void> };
  readonly clock: () => number;
  readonly codeVersion: string;
  readonly log: Log;
}
