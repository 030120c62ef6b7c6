import type { EpochEvent, FitContext, FitSummary } from '../model.ts';
import { twinLacks } from '../model.ts';

/** Names of the stages in progress and history. */
const STAGES = { network: 'network', trees: 'trees' } as const;

/** The contexts of both stages: the rounds of the trees go on counting where the network's epochs end. */
export function stagesOf(ctx: FitContext): {
  readonly network: FitContext;
  trees(after: number): FitContext;
} {
  return {
    network: { ...ctx, onEpoch: (event) => ctx.onEpoch({ ...event, stage: STAGES.network }) },
    trees: (after) => ({
      ...ctx,
      onEpoch: (event) => ctx.onEpoch(treeEvent(event, after)),
      onBatch: (at) => ctx.onBatch({ ...at, epoch: after + at.epoch }),
      // Trees are grown anew after a crash; the checkpoint at hand is the network's.
      loadCheckpoint: async () => undefined,
    }),
  };
}

const treeEvent = (event: EpochEvent, after: number): EpochEvent => ({
  ...event,
  stage: STAGES.trees,
  epoch: after + event.epoch,
  epochs: after + event.epochs,
});

interface Fitted {
  readonly network: FitSummary;
  readonly trees: FitSummary;
  readonly weightsDigest: string;
  /** Of a refit. */
  readonly twin: FitSummary | undefined;
}

/** One summary of both: epochs, then rounds; the loss is that of the trees, which answer. */
export function summaryOf({ network, trees, weightsDigest, twin }: Fitted): FitSummary {
  const after = network.epochsRun;
  return {
    epochsRun: after + trees.epochsRun,
    bestEpoch: after + trees.bestEpoch,
    bestValidLoss: trees.bestValidLoss,
    weightsDigest,
    history: [
      ...network.history.map((event) => ({ ...event, stage: STAGES.network })),
      ...trees.history.map((event) => treeEvent(event, after)),
    ],
    chosen: twin?.chosen ?? {
      ...trees.chosen,
      networkEpochs: [network.bestEpoch],
      networkValidLoss: [network.bestValidLoss],
    },
    ...(trees.importance ? { importance: trees.importance } : {}),
  };
}

/** What each stage of a refit repeats; throws `training.twin` where the summary does not say. */
export function twinsOf(twin: FitSummary): {
  readonly network: FitSummary;
  readonly trees: FitSummary;
} {
  const [bestEpoch, bestValidLoss] = [
    twin.chosen?.['networkEpochs']?.[0],
    twin.chosen?.['networkValidLoss']?.[0],
  ];
  if (bestEpoch === undefined || bestValidLoss === undefined)
    throw twinLacks("the network's epochs");
  const history = twin.history.filter(({ stage }) => stage === STAGES.network);
  const network = { ...twin, history, bestEpoch, bestValidLoss };
  return { network, trees: twin };
}
