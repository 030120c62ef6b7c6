import { Context } from '@temporalio/activity';
import { labelKindOrThrow, multipliesByClose } from '../core/labels/index.ts';
import { decodePrepared, encodePrepared } from '../core/features/prepared.ts';
import { decodeFold, folded } from '../core/features/fold.ts';
import { decodeRefit, refitted } from '../core/features/refit.ts';
import type { EpochEvent, FitSummary } from '../core/models/model.ts';
import { verifySections } from '../core/models/sections.ts';
import { decodeBundle } from '../core/models/bundle.ts';
import { RatchetError } from '../core/errors.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import {
  checkpointsOf,
  discardCheckpoint,
  publishCheckpoint,
  raiseFence,
  type FitAttempt,
} from '../registry/checkpoints.ts';
import { experimentSpecOrThrow, type NewExperimentEvent } from '../registry/experiments.ts';
import { cachedStep } from '../registry/step-cache.ts';
import type { FitInput, FitResult } from './contracts.ts';
import type { ActivityDeps, TrainingJob } from './deps.ts';
import { fitOrigin, type FitOrigin } from './fit-origin.ts';
import { whileBeating } from './heartbeat.ts';
import { trainingMembers } from './member-fits.ts';
import { assertUntested } from './parent-fit.ts';

/** What the cache keeps: everything but who asked. */
type Fitted = Omit<FitResult, 'cached' | 'seed'>;

/** Where a training stands; the details of its heartbeats. */
export interface FitHeartbeat {
  readonly epoch: number;
  readonly batch: number;
  /** The newest durable checkpoint of this attempt. */
  readonly checkpoint: { readonly epoch: number; readonly batch: number } | null;
}

/** Errors of bytes that are gone or damaged: an older checkpoint can stand in. */
const DAMAGED = new Set(['artifact.missing', 'artifact.corrupt', 'bytes.corrupt']);

/** Fits one family with one seed. Safe to run twice: equal fits are found by content. */
export function createFitActivities(deps: ActivityDeps) {
  return {
    async fit(input: FitInput): Promise<FitResult> {
      const spec = await experimentSpecOrThrow(deps.db, input.experimentId);
      const fitted = await fitOnce(deps, input, spec);
      if (fitted.cached) await tellCached(deps, input, fitted);
      return fitted;
    },
  };
}

/** A fit among many that are only compared: its epochs are not told. */
export interface QuietFit {
  /** The same fit with less training budget, the most first: it goes on from the checkpoint of one of them. */
  readonly after: readonly FitInput[];
}

/** The fit, or what an equal one left. */
export async function fitOnce(
  deps: ActivityDeps,
  input: FitInput,
  spec: ExperimentSpec,
  quiet?: QuietFit,
): Promise<FitResult> {
  const origin = await fitOrigin(deps, input, spec);
  const { result, cached } = await cachedStep(deps, origin.step, async () => {
    const after: string[] = [];
    for (const one of quiet?.after ?? []) after.push((await fitOrigin(deps, one, spec)).key);
    return new Fit(deps, input, spec, { ...origin, after: quiet && after }).run();
  });
  return { ...result, seed: input.seed, cached };
}

/**
 * A fit that another experiment ran has its loss curve here too: the mirror and whoever looks at this
 * experiment find it without knowing the other one. Epochs that this experiment told itself stay.
 */
async function tellCached(deps: ActivityDeps, input: FitInput, result: Fitted): Promise<void> {
  const { experimentId, family, seed, unit } = input;
  const { summary } = decodeBundle(await deps.artifacts.get(result.fitted));
  for (const event of summary.history) {
    Context.current().heartbeat({ epoch: event.epoch, batch: 0, checkpoint: null });
    await deps.events.append(
      epochEvent(input, { ...event, attempt: result.attempt, cached: true }),
    );
  }
  await deps.events.append({
    experimentId,
    kind: 'note',
    stage: stageOf(input),
    model: unit.model,
    seed,
    payload: {
      family,
      ...(input.fold && { fold: input.fold.number }),
      cached: true,
      epochs: result.epochsRun,
      bestValidLoss: result.bestValidLoss,
    },
    dedupeKey: `${stageOf(input)}-cached/${unit.model}/${family}/${input.fold ? nameOf(input) : seed}`,
  });
}

/** A refit tells its epochs apart from those of its twin, an older fold from those of the newest. */
const stageOf = ({ refit, fold }: FitInput): 'fit' | 'refit' | 'fold' =>
  refit ? 'refit' : fold ? 'fold' : 'fit';

/** Which of the fits of a seed. */
const nameOf = ({ seed, refit, fold }: FitInput): string =>
  refit ? `${seed}/refit` : fold ? `${seed}/fold-${fold.number}` : `${seed}`;

/** One row an epoch, whoever tells it and how often. */
function epochEvent(
  input: FitInput,
  epoch: EpochEvent & { readonly attempt: number; readonly cached?: true },
): NewExperimentEvent {
  const { experimentId, family, seed, unit } = input;
  return {
    experimentId,
    kind: 'epoch',
    stage: stageOf(input),
    model: unit.model,
    seed,
    payload: { ...epoch, family, ...(input.fold && { fold: input.fold.number }) },
    dedupeKey: `epoch/${unit.model}/${family}/${nameOf(input)}/${epoch.epoch}`,
  };
}

/** What a fit is made from and, where it is one of a search, the content keys of those with less budget. */
interface Origin extends FitOrigin {
  readonly after: readonly string[] | undefined;
}

/** A checkpoint as it lies in the store. */
type Whole = { readonly bytes: Uint8Array; readonly epoch: number };

/** One attempt of one fit. */
class Fit {
  readonly #deps: ActivityDeps;
  readonly #input: FitInput;
  readonly #spec: ExperimentSpec;
  readonly #by: FitAttempt;
  readonly #origin: Origin;
  readonly #context = Context.current();
  readonly #abort = new AbortController();
  #at: FitHeartbeat = { epoch: 0, batch: 0, checkpoint: null };
  /** Events go to the database in order; the training does not wait for them. */
  #events: Promise<void> = Promise.resolve();

  constructor(deps: ActivityDeps, input: FitInput, spec: ExperimentSpec, origin: Origin) {
    this.#deps = deps;
    this.#input = input;
    this.#spec = spec;
    const { attempt, activityId, workflowExecution } = this.#context.info;
    const run = `${workflowExecution?.workflowId}/${workflowExecution?.runId}`;
    this.#origin = origin;
    this.#by = { fitKey: origin.key, holder: `${run}/${activityId}`, attempt };
  }

  async run(): Promise<Fitted> {
    const { db, artifacts } = this.#deps;
    const { resumed, ...inputs } = await this.#beating(() => this.#inputs());
    const bytes = await this.#train({ ...inputs, checkpoint: resumed?.bytes });
    const { weightsDigest, bestValidLoss, bestEpoch, epochsRun } = decodeBundle(bytes).summary;
    const fitted = await this.#beating(async () => {
      const stored = await artifacts.put(bytes);
      // Frozen and replaced since the last checkpoint? Then the later attempt's result stands.
      await raiseFence(db, this.#by);
      return stored;
    });
    return {
      family: this.#input.family,
      fitted,
      ...{ weightsDigest, bestValidLoss, bestEpoch, epochsRun },
      attempt: this.#by.attempt,
      resumedFromEpoch: resumed?.epoch ?? null,
    };
  }

  /** While there is no training process, whose own signs of life are passed on. */
  #beating<T>(work: () => Promise<T>): Promise<T> {
    return whileBeating(this.#context, work, () => this.#heartbeat({}));
  }

  /** All that a training process is given beside the question. */
  async #inputs() {
    const { db, artifacts } = this.#deps;
    await raiseFence(db, this.#by);
    const { prepared, twin } = await this.#data();
    const resumed = await this.#newestUsableCheckpoint();
    const parent = await this.#parent(prepared);
    const members = await trainingMembers({ artifacts }, this.#origin.members, () =>
      decodePrepared(prepared),
    );
    return { prepared, twin, resumed, parent, members };
  }

  /** What is fitted on: the prepared data, or what a fold or a refit sees of it, and whom a refit repeats. */
  async #data(): Promise<{ prepared: Uint8Array; twin: FitSummary | undefined }> {
    const { artifacts } = this.#deps;
    const { refit, fold } = this.#input;
    const prepared = await artifacts.get(this.#input.prepared);
    if (fold !== undefined) {
      const parts = decodeFold(await artifacts.get(fold.rows));
      return { prepared: encodePrepared(folded(decodePrepared(prepared), parts)), twin: undefined };
    }
    if (refit === undefined) return { prepared, twin: undefined };
    const rows = decodeRefit(await artifacts.get(refit.rows));
    const { summary } = decodeBundle(await artifacts.get(refit.twin));
    return { prepared: encodePrepared(refitted(decodePrepared(prepared), rows)), twin: summary };
  }

  async #train(
    inputs: Pick<TrainingJob, 'prepared' | 'twin' | 'checkpoint' | 'parent' | 'members'>,
  ): Promise<Uint8Array> {
    const cancelled = this.#context.cancellationSignal;
    const signal = AbortSignal.any([cancelled, this.#abort.signal]);
    try {
      const bytes = await this.#deps.trainer.train(
        {
          family: this.#input.family,
          params: this.#origin.params,
          seed: this.#input.seed,
          ...inputs,
          multiplyByClose: multipliesByClose(labelKindOrThrow(this.#spec.label.kind)),
        },
        {
          onBatch: ({ epoch, batch }) => this.#heartbeat({ epoch, batch }),
          onAlive: () => this.#heartbeat({}),
          onEpoch: (event) => this.#appendEpoch(event),
          onCheckpoint: (at, position) => this.#publish(at, position),
        },
        signal,
      );
      await this.#events;
      return bytes;
    } catch (error) {
      // Temporal's own failure is what tells the server that the cancel was heard.
      if (cancelled.aborted) await this.#context.cancelled;
      throw error;
    }
  }

  /** The bundle that the fit goes on from; refused where it knows what the fit is tested on. */
  async #parent(prepared: Uint8Array): Promise<Uint8Array | undefined> {
    const { parent } = this.#origin;
    if (parent === undefined) return undefined;
    const bytes = await this.#deps.artifacts.get(parent.fitted);
    assertUntested(parent, decodeBundle(bytes).knowledge, decodePrepared(prepared));
    return bytes;
  }

  #heartbeat(progress: Partial<FitHeartbeat>): void {
    this.#at = { ...this.#at, ...progress };
    this.#context.heartbeat(this.#at);
  }

  #appendEpoch(event: EpochEvent): void {
    if (this.#origin.after !== undefined) return;
    const told = epochEvent(this.#input, { ...event, attempt: this.#by.attempt });
    const append = (): Promise<void> => this.#deps.events.append(told);
    this.#events = this.#events.then(append);
    // Progress that cannot be written is a failed attempt; `#train` throws it once the child ended.
    this.#events.catch((error: unknown) => this.#abort.abort(error));
  }

  async #publish(bytes: Uint8Array, at: { epoch: number; batch: number }): Promise<void> {
    const artifact = await this.#deps.artifacts.put(bytes);
    await publishCheckpoint(this.#deps.db, this.#by, { ...at, artifact });
    this.#heartbeat({ checkpoint: at });
  }

  /** The furthest checkpoint whose bytes are whole; damaged ones are forgotten on the way. */
  async #newestUsableCheckpoint(): Promise<Whole | undefined> {
    const { key: own, after = [] } = this.#origin;
    for (const key of [own, ...after]) {
      const checkpoint = await this.#usableCheckpoint(key);
      if (checkpoint) return checkpoint;
    }
    return undefined;
  }

  async #usableCheckpoint(fitKey: string): Promise<Whole | undefined> {
    const { db, artifacts, log } = this.#deps;
    for (const row of await checkpointsOf(db, fitKey)) {
      try {
        const bytes = await artifacts.get(row.artifact);
        verifySections(bytes, 'checkpoint');
        return { bytes, epoch: row.epoch };
      } catch (error) {
        if (!(error instanceof RatchetError) || !DAMAGED.has(error.code)) throw error;
        const { epoch, batch } = row;
        log.warn({ fitKey, epoch, batch, code: error.code }, 'bad checkpoint');
        await discardCheckpoint(db, row.id);
      }
    }
    return undefined;
  }
}
