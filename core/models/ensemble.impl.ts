import { createHash } from 'node:crypto';
import { RatchetError } from '../errors.ts';
import type { Combiner } from '../onnx/combined.ts';
import {
  chosenOf,
  combine,
  combinerFrom,
  fixedMean,
  inverseLossMean,
  lossByHorizon,
  meanOf,
  type Answers,
} from './ensemble/combiner.ts';
import { fitPool } from './ensemble/pool.ts';
import { forecastBlocks, pick, type ForecastBlock } from './ensemble/blocks.ts';
import { EnsembleCourse } from './ensemble/course.ts';
import { digestOf, fingerprintOf } from './ensemble/digests.ts';
import { FittedEnsemble, restoreEnsemble, type FittedMember } from './ensemble/fitted.ts';
import { RegisteredMember } from './ensemble/registered-member.ts';
import { blocksNewTo, isOf, registeredByPlace } from './ensemble/registered-places.ts';
import { isRegistered, type EnsembleParams, type FittedHere } from './ensemble.ts';
import type { FitContext, FitSummary, ModelImplementation, Samples } from './model.ts';
import { twinLacks } from './model.ts';
import { hashKey } from './random.ts';
import type { RegisteredFit } from './registered.ts';
import { assertUsable } from './scaled.ts';

/** Implementations by family. */
export type Implementations = ReadonlyMap<string, ModelImplementation<unknown>>;

/** The first member has the seed of the ensemble; equal members differ by theirs. */
const seedOf = (seed: number, member: number): number =>
  member === 0 ? seed : hashKey(seed, member) >>> 1;

const kindOf = ({ method, voting }: EnsembleParams): Combiner['kind'] =>
  method !== 'voting' ? 'pool' : voting === 'hard' ? 'votes' : 'mean';

/** The older and the newer half of a part by time; no label of the older one ends in the newer one. */
function halvesOf(samples: Samples): { readonly older: Int32Array; readonly newer: Int32Array } {
  const [block] = forecastBlocks(samples, 1);
  return { older: block!.learn, newer: block!.forecast };
}

/** Answers at these places. */
function answersAt(answers: Answers, places: Int32Array, width: number): Answers {
  return answers.map((answer) => {
    const out = new Float64Array(places.length * width);
    places.forEach((place, i) =>
      out.set(answer.subarray(place * width, (place + 1) * width), i * width),
    );
    return out;
  });
}

class EnsembleFit {
  readonly #families: Implementations;
  readonly #params: EnsembleParams;
  readonly #train: Samples;
  readonly #ctx: FitContext;
  readonly #course: EnsembleCourse;
  readonly #registered: readonly (RegisteredFit | undefined)[];

  constructor(
    families: Implementations,
    params: EnsembleParams,
    train: Samples,
    ctx: FitContext,
    course: EnsembleCourse,
  ) {
    this.#families = families;
    this.#params = params;
    this.#train = train;
    this.#ctx = ctx;
    this.#course = course;
    this.#registered = registeredByPlace(params, ctx);
  }

  #of({ family }: { readonly family: string }): ModelImplementation<unknown> {
    return this.#families.get(family)!;
  }

  /** Every member in turn, each in the course of its own; registered versions are there already. */
  async #eachMember(
    train: (
      member: FittedHere,
      i: number,
      ctx: FitContext,
    ) => ReturnType<ModelImplementation<unknown>['fit']>,
  ): Promise<FittedMember[]> {
    const { members } = this.#params;
    const fitted: FittedMember[] = [];
    try {
      for (const [i, member] of members.entries()) {
        const version = this.#registered[i];
        if (isRegistered(member) || version) {
          fitted.push(await this.#opened(version!));
          continue;
        }
        const stage = `member ${i + 1} of ${members.length}: ${member.family}`;
        const bytes = await this.#course.run(stage, async (ctx) => {
          const model = await train(member, i, { ...ctx, seed: seedOf(ctx.seed, i) });
          const piece = { bytes: model.save(), summary: model.summary };
          model.dispose();
          return piece;
        });
        fitted.push({ family: member.family, model: await this.#of(member).restore(bytes) });
      }
      return fitted;
    } catch (error) {
      for (const { model } of fitted) model.dispose();
      throw error;
    }
  }

  async #opened(version: RegisteredFit): Promise<FittedMember> {
    const { knownThrough: _known, ...parts } = version;
    const model = await RegisteredMember.open(parts, this.#of(version));
    return { family: version.family, model, registered: model.version };
  }

  /** What the member says of a block's samples, by a fit that has only seen what was known before. */
  async #forecastBlock(
    { member, i, twin, stage }: { member: FittedHere; i: number; twin: FitSummary; stage: string },
    { learn, forecast }: ForecastBlock,
  ): Promise<Float64Array> {
    const bytes = await this.#course.run(`${stage}: ${member.family}`, async (ctx) => {
      const model = await this.#of(member).refit(
        member.hyperparameters,
        twin,
        pick(this.#train, learn),
        { ...ctx, seed: seedOf(ctx.seed, i) },
      );
      const forecasts = await model.predict(pick(this.#train, forecast));
      model.dispose();
      return { bytes: new Uint8Array(forecasts.buffer.slice(0)), summary: model.summary };
    });
    return new Float64Array(bytes.slice().buffer);
  }

  /** What members say of training rows that come after all that they have learnt from. */
  async #outOfFold(
    members: readonly FittedMember[],
    valid: Samples,
  ): Promise<{ answers: Answers; rows: Int32Array }> {
    const blocks = blocksNewTo(this.#registered, this.#train, this.#params.folds);
    // Outliers of training rows are brought within bounds that a registered version does not have: it sees them raw.
    const raw = { ...this.#train, features: valid.features };
    const answers: Float64Array[] = [];
    for (const [i, member] of this.#params.members.entries()) {
      const { model } = members[i]!;
      const said: Float64Array[] = [];
      for (const [b, block] of blocks.entries()) {
        const stage = `block ${b + 1} of ${blocks.length}, member ${i + 1}`;
        const of = { i, twin: model.summary, stage };
        said.push(
          isRegistered(member)
            ? await model.predict(pick(raw, block.forecast))
            : await this.#forecastBlock({ ...of, member }, block),
        );
      }
      answers.push(Float64Array.from(said.flatMap((part) => [...part])));
    }
    return { answers, rows: Int32Array.from(blocks.flatMap(({ forecast }) => [...forecast])) };
  }

  /** The combiner, and the places of the validation samples that its loss is of. */
  async #combinerOf(
    members: readonly FittedMember[],
    said: Answers,
    valid: Samples,
  ): Promise<{ combiner: Combiner; judged: Int32Array }> {
    const { method, voting, weights, stacker } = this.#params;
    const { labels: scaler } = this.#ctx.scalers;
    const horizons = valid.horizons.length;
    const judged = Int32Array.from(valid.endRow.keys());
    if (method === 'stacking') {
      const { answers, rows } = await this.#outOfFold(members, valid);
      return { combiner: fitPool(answers, pick(this.#train, rows), stacker, scaler), judged };
    }
    if (method === 'blending') {
      const { older, newer } = halvesOf(valid);
      const width = horizons * Math.max(valid.classes, 1);
      const answers = answersAt(said, older, width);
      return { combiner: fitPool(answers, pick(valid, older), stacker, scaler), judged: newer };
    }
    if (voting === 'hard') return { combiner: { kind: 'votes' }, judged };
    if (voting === 'weighted' && weights === undefined) {
      const losses = said.map((own) => lossByHorizon(own, valid, scaler));
      return { combiner: inverseLossMean(losses), judged };
    }
    return { combiner: fixedMean(weights ?? members.map(() => 1), horizons), judged };
  }

  async fit(valid: Samples): Promise<FittedEnsemble> {
    const members = await this.#eachMember((member, _i, ctx) =>
      this.#of(member).fit(member.hyperparameters, this.#train, valid, ctx),
    );
    try {
      const said: Float64Array[] = [];
      for (const { model } of members) said.push(await model.predict(valid));
      const { combiner, judged } = await this.#combinerOf(members, said, valid);
      const { labels: scaler } = this.#ctx.scalers;
      const shape = { horizons: valid.horizons.length, classes: valid.classes };
      const width = shape.horizons * Math.max(shape.classes, 1);
      const own = combine(combiner, answersAt(said, judged, width), shape);
      const bestValidLoss = meanOf(lossByHorizon(own, pick(valid, judged), scaler));
      return this.#fitted(members, combiner, { bestValidLoss, chosen: chosenOf(combiner) });
    } catch (error) {
      for (const { model } of members) model.dispose();
      throw error;
    }
  }

  async refit(twin: FitSummary): Promise<FittedEnsemble> {
    const { members: asked } = this.#params;
    const twins = twin.members ?? [];
    if (twins.length !== asked.length || asked.some((member, i) => !isOf(member, twins[i]!))) {
      throw twinLacks('its members');
    }
    const { horizons, classes } = this.#train;
    const shape = { horizons: horizons.length, classes };
    const combiner = combinerFrom(kindOf(this.#params), twin.chosen, asked.length, shape);
    const members = await this.#eachMember((member, i, ctx) =>
      this.#of(member).refit(member.hyperparameters, twins[i]!.summary, this.#train, ctx),
    );
    const { bestValidLoss, chosen = {} } = twin;
    return this.#fitted(members, combiner, { bestValidLoss, chosen });
  }

  #fitted(
    members: readonly FittedMember[],
    combiner: Combiner,
    of: Required<Pick<FitSummary, 'bestValidLoss' | 'chosen'>>,
  ): FittedEnsemble {
    const { horizons, classes } = this.#train;
    const summary: FitSummary = {
      epochsRun: this.#course.epochs,
      bestEpoch: this.#course.epochs,
      ...of,
      weightsDigest: digestOf(members, combiner),
      history: this.#course.history,
      members: members.map(({ family, model, registered }) => ({
        family,
        ...(registered && { registered }),
        summary: model.summary,
      })),
    };
    return new FittedEnsemble({ members, combiner, horizons: horizons.length, classes }, summary);
  }
}

/** An ensemble of these families. */
export function ensembleOver(families: Implementations): ModelImplementation<EnsembleParams> {
  const begin = async (
    params: EnsembleParams,
    [train, ...others]: readonly [Samples, ...Samples[]],
    ctx: FitContext,
    twin?: FitSummary,
  ): Promise<EnsembleFit> => {
    assertUsable(train, 'train', 'window');
    if (kindOf(params) === 'votes' && train.classes === 0) {
      throw new RatchetError('model.no-classes', 'quantities have no classes to vote for');
    }
    for (const part of others) assertUsable(part, 'valid', 'window');
    const registered = ctx.registered?.map(({ weights, knownThrough }) => [
      createHash('sha256').update(weights).digest('hex'),
      knownThrough,
    ]);
    const asked = { params, seed: ctx.seed, twin: twin?.weightsDigest, registered };
    const course = await EnsembleCourse.open(ctx, fingerprintOf(asked, [train, ...others]));
    return new EnsembleFit(families, params, train, ctx, course);
  };
  return {
    async fit(params, train, valid, ctx) {
      return (await begin(params, [train, valid], ctx)).fit(valid);
    },
    async refit(params, twin, train, ctx) {
      return (await begin(params, [train], ctx, twin)).refit(twin);
    },
    restore: (bytes) => restoreEnsemble(bytes, families),
    libraries: ({ members }) =>
      Object.assign(
        {},
        ...members.map((member) =>
          isRegistered(member)
            ? {}
            : families.get(member.family)!.libraries?.(member.hyperparameters),
        ),
      ) as Record<string, string>,
  };
}
