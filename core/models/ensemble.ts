import { z } from 'zod';
import {
  defineModel,
  type Asked,
  type ModelDescriptor,
  type ModelTask,
  type ParamIssue,
} from './model.ts';
import {
  MODEL_TEMPLATE,
  MODEL_TEMPLATE_RULE,
  type RegisteredName,
  type RegisteredVersion,
} from './registered.ts';

const MEMBERS_MAX = 8;

const fittedShape = z.strictObject({ family: z.string(), hyperparameters: z.unknown() });
/** A member that is fitted with the ensemble. */
export type FittedHere = z.output<typeof fittedShape>;

const registeredShape = z.strictObject({
  model: z
    .string()
    .regex(MODEL_TEMPLATE, MODEL_TEMPLATE_RULE)
    .max(63)
    .describe('A registered model; {instrument} is that of the unit.'),
  version: z
    .union([z.literal('champion'), z.int().min(1)])
    .describe(
      'A version by its number, or `champion`: the one that served when the experiment was made.',
    ),
});

/** A family to be fitted, or a registered version. */
export type EnsembleMember = FittedHere | RegisteredName;

export const isRegistered = (member: EnsembleMember): member is RegisteredName => 'model' in member;

/** A member is a family with its own hyperparameters, checked by its own schema, or a version of a registered model. */
function memberOf(families: readonly ModelDescriptor[]): z.ZodType<EnsembleMember> {
  const [first, ...others] = families.map(({ name, params }) =>
    z.strictObject({
      family: z.literal(name),
      hyperparameters: params.prefault({}).describe(`Those of \`${name}\`.`),
    }),
  );
  return z.union([registeredShape, z.discriminatedUnion('family', [first!, ...others])]);
}

const weight = z.number().min(0).max(1e6);

/** How members' answers become one. */
const combining = {
  method: z
    .enum(['voting', 'stacking', 'blending'])
    .default('voting')
    .describe(
      'How their answers become one. `stacking`: a linear combination, learnt on forecasts of the training part by ' +
        'members that had only seen what was known before; `blending`: learnt on the older half of the validation ' +
        'part, and the validation loss is that of the newer half.',
    ),
  voting: z
    .enum(['soft', 'hard', 'weighted'])
    .default('soft')
    .describe(
      'Of `voting`. soft: the mean; hard: shares of the members whose likeliest class it is (a lead below .02 is a ' +
        'shared vote), of labels with classes only; weighted: the mean with `weights`.',
    ),
  weights: z
    .array(weight)
    .min(2)
    .max(MEMBERS_MAX)
    .optional()
    .describe(
      'Of `voting: weighted`, one a member; absent: by horizon the inverse of its validation loss.',
    ),
  stacker: z
    .strictObject({
      penalty: z
        .number()
        .positive()
        .max(1e9)
        .default(100)
        .meta({ search: { low: 1, high: 10_000, scale: 'log' } })
        .describe('Rows that speak for equal weights before any row is seen.'),
      nonNegative: z
        .boolean()
        .default(true)
        .meta({ search: { choices: [true, false] } })
        .describe('No member counts with a minus.'),
    })
    .prefault({})
    .describe(
      'Of `stacking` and `blending`: the combination, by horizon. Quantities: least squares with an offset; classes: ' +
        'softmax of the weighted logarithms of their probabilities with an offset a class.',
    ),
  folds: z
    .int()
    .min(1)
    .max(10)
    .default(3)
    .describe(
      'Of `stacking`: blocks of the training part that are forecast; each fits every member once more, with the ' +
        'rounds and penalties that its own fit chose. The time before the first is only learnt from.',
    ),
};

function paramsOver(families: readonly ModelDescriptor[], standard: readonly string[]) {
  return z
    .strictObject({
      members: z
        .array(memberOf(families))
        .min(2)
        .max(MEMBERS_MAX)
        .prefault(standard.map((family) => ({ family })) as never)
        .describe(
          'The models it is made of. `{ family, hyperparameters }`: every family but an ensemble that learns what the ' +
            'label is; two of one family with the same hyperparameters differ by their seeds. `{ model, version }`: a ' +
            'version of a registered model, `{ model: stocks-{instrument}, version: champion }`, as it was evaluated (of a ' +
            'refitted one the twin, of a compressed one the graph as trained), in its own scalers. Both may be mixed.',
        ),
      ...combining,
    })
    .superRefine(({ members, method, voting, weights }, refinement) => {
      members.forEach((member, i) => {
        if (!isRegistered(member)) return;
        const first = members.findIndex(
          (other) =>
            isRegistered(other) && other.model === member.model && other.version === member.version,
        );
        if (first === i) return;
        const message = `is members[${first}] again: the same version has the same answers`;
        refinement.addIssue({ code: 'custom', path: ['members', i], message });
      });
      if (weights === undefined) return;
      const issue = (message: string): void =>
        refinement.addIssue({ code: 'custom', path: ['weights'], message });
      if (method !== 'voting' || voting !== 'weighted') issue('is of `voting: weighted` only');
      else if (weights.length !== members.length) {
        issue(`has ${weights.length} values, and there are ${members.length} members`);
      } else if (!weights.some((value) => value > 0)) issue('has no weight above 0');
    });
}

export type EnsembleParams = z.output<ReturnType<typeof paramsOver>>;

const WORDS: Readonly<Record<ModelTask, string>> = {
  regression: 'quantities',
  classification: 'classes',
};

const weighing = z.looseObject({ lossWeights: z.array(z.unknown()) });

/** Whatever family has loss weights has one for each horizon. */
function lossWeightIssues(hyperparameters: unknown, { horizons }: Asked): ParamIssue[] {
  const given = weighing.safeParse(hyperparameters);
  if (!given.success || given.data.lossWeights.length === horizons) return [];
  const { length } = given.data.lossWeights;
  return [{ path: 'lossWeights', message: `has ${length} values for ${horizons} horizons` }];
}

/** Members that do not learn what the label is, and votes where there is nothing to vote for. */
function issuesOf(
  families: readonly ModelDescriptor[],
  { members, method, voting }: EnsembleParams,
  asked: Asked,
): ParamIssue[] {
  const { task } = asked;
  const able = families.filter(({ traits }) => traits.tasks.includes(task)).map((f) => f.name);
  const unable = members.flatMap((member, i): ParamIssue[] => {
    // What a version has learnt is looked up when it is.
    if (isRegistered(member)) return [];
    const { family, hyperparameters } = member;
    if (able.includes(family)) {
      const at = `members[${i}].hyperparameters`;
      const own = families.find(({ name }) => name === family)!.check?.(hyperparameters, asked);
      return [
        ...lossWeightIssues(hyperparameters, asked).map((issue) => ({
          ...issue,
          path: `${at}.${issue.path}`,
        })),
        ...(own ?? []).map((issue) => ({ ...issue, path: `${at}.${issue.path}` })),
      ];
    }
    return [
      {
        path: `members[${i}].family`,
        message: `the family ${family} does not learn ${WORDS[task]}`,
        suggestion: `Families that do: ${able.join(', ')}`,
      },
    ];
  });
  if (method !== 'voting' || voting !== 'hard' || task === 'classification') return unable;
  const message = 'quantities have no classes to vote for';
  return [...unable, { path: 'voting', message, suggestion: 'Use soft or weighted' }];
}

/** The members' families, and what those are made of. */
const partsOf = (
  families: readonly ModelDescriptor[],
  members: readonly EnsembleMember[],
): readonly ModelDescriptor[] =>
  members.flatMap((member) => {
    if (isRegistered(member)) return [];
    const { family, hyperparameters } = member;
    const found = families.find(({ name }) => name === family)!;
    return [found, ...(found.partsOf?.(hyperparameters) ?? [])];
  });

/** The members that are registered versions, and the same hyperparameters with others in their place. */
const registeredUse = (families: readonly ModelDescriptor[]) => ({
  families: families.map(({ name }) => name),
  of: ({ members }: EnsembleParams) =>
    members.flatMap((member, i) =>
      isRegistered(member) ? [{ ...member, path: `members[${i}]` }] : [],
    ),
  named(params: EnsembleParams, versions: readonly RegisteredVersion[]): EnsembleParams {
    const left = versions.values();
    const members = params.members.map((member) => {
      if (!isRegistered(member)) return member;
      const { model, version } = left.next().value ?? member;
      return { model, version };
    });
    return { ...params, members };
  },
});

/** Several models as one. `families` may be members; `standard` are those of an ensemble that names none. */
export function ensembleOf(families: readonly ModelDescriptor[], standard: readonly string[]) {
  return defineModel({
    name: 'ensemble',
    docs:
      'Two to eight models of other families, trained one after the other on the same rows and served as one graph: by ' +
      'voting (Bates and Granger, 1969), stacking (Wolpert, 1992; Breiman, 1996) or blending. A crash costs at most ' +
      'the member under way. A refit takes weights, rounds and penalties over.\n\n' +
      'A member may be a registered version instead: its features, label, horizons and timeframe must be those of the ' +
      'spec, its windows no longer, and the instruments among its own. Its weights are copied into the ensemble, so that ' +
      'deleting or promoting versions afterwards changes nothing. It must be new to what the ensemble is judged on: no ' +
      'label of the test part was used for anything, none of the validation part was fitted on, by it or by what it went ' +
      'on from, in every fold; else the fit is refused (`training.member-leaks`). `stacking` takes its weights from ' +
      'training rows that lie after all that every registered member knows, and is refused where fewer than 30 are left; ' +
      '`blending` and `voting` need none. A version that became champion by figures of the same test part was chosen by ' +
      'it, which no date shows: only newer bars judge such an ensemble without favour.',
    params: paramsOver(families, standard),
    traits: {
      tasks: ['regression', 'classification'],
      needsScaling: true,
      sequence: true,
      stochastic: true,
      needsTensorflow: true,
      monteCarlo: false,
      iteration: 'step',
    },
    version: 1,
    partsOf: ({ members }) => partsOf(families, members),
    registered: registeredUse(families),
    check: (params, asked) => issuesOf(families, params, asked),
    async load() {
      const { ensembleOver } = await import('./ensemble.impl.ts');
      const loaded = await Promise.all(
        families.map(async (family) => {
          const { implementation } = await family.load();
          return [family.name, implementation] as const;
        }),
      );
      return { implementation: ensembleOver(new Map(loaded)) };
    },
  });
}
