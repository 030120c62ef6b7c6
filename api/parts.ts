import type { NamedDataset, Log } from '../activities/deps.ts';
import type { ArtifactStore } from '../registry/artifact-store.ts';
import type { Db } from '../registry/in-transaction.ts';
import type { Advisor } from './advice/advisor.ts';
import type { AsyncResults } from './async-results.ts';
import type { Authenticator } from './auth.ts';
import type { DeclaredStrategies } from './declared-strategies.ts';
import type { EarlierAnswers } from './earlier-answers.ts';
import type { InFlight } from './in-flight.ts';
import type { KeyCache } from './key-cache.ts';
import type { ApiMetrics } from './metrics.ts';
import type { Orchestrator } from './orchestrator.ts';
import type { Places } from './places.ts';
import type { Serving } from './serving/serving.ts';

/** What the routes stand on. Given to `createApp`; nothing else is reached from a handler. */
export interface ApiParts {
  readonly db: Db;
  readonly artifacts: ArtifactStore;
  readonly orchestrator: Orchestrator;
  readonly serving: Serving;
  readonly results: AsyncResults;
  readonly advisor: Advisor;
  readonly declared: DeclaredStrategies;
  readonly earlierAnswers: EarlierAnswers;
  readonly auth: Authenticator;
  /** Of server-sent events. */
  readonly streams: Places;
  readonly keys: KeyCache;
  readonly datasets: ReadonlyMap<string, NamedDataset>;
  readonly metrics: ApiMetrics;
  readonly inFlight: InFlight;
  readonly log: Log;
  /** Host names (without port) that requests may name. */
  readonly allowedHosts: () => ReadonlySet<string>;
  /** Wall time in ms. */
  readonly clock: () => number;
  readonly version: string;
  /** Aborted once the process drains: answers that would go on for long then end. */
  readonly stopping: AbortSignal;
}
