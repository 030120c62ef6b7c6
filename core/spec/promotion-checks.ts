import { policies } from '../policies/index.ts';
import type { Policy } from '../policies/policy.ts';
import { inputSchemaOf } from './json-schema.ts';
import type { SpecIssue } from './spec-error.ts';
import type { ExperimentSpec } from './spec.ts';

type Promotion = ExperimentSpec['promotion'];

/** Settings that only some policies have. */
const OWN_SETTINGS = ['margin', 'floor'] as const;

/** A setting that policy or trial do not have would be passed over in silence. */
export function checkPromotion(
  { promotion }: Pick<ExperimentSpec, 'promotion'>,
  catalogue: readonly Policy[] = policies,
): SpecIssue[] {
  return [
    ...checkOwnSettings(promotion, catalogue),
    ...checkPolicysTrial(promotion, catalogue),
    ...checkTrial(promotion),
  ];
}

function checkOwnSettings(promotion: Promotion, catalogue: readonly Policy[]): SpecIssue[] {
  const policy = catalogue.find((p) => p.name === promotion.policy);
  if (!policy) return [];
  const has = (p: Policy, setting: string): boolean =>
    setting in (inputSchemaOf(p.params).properties ?? {});
  return OWN_SETTINGS.filter(
    (setting) => promotion[setting] !== undefined && !has(policy, setting),
  ).map((setting) => {
    const having = catalogue.filter((p) => has(p, setting)).map((p) => p.name);
    const instead = having.length > 0 ? `, or use \`policy: ${having.join(' or ')}\`` : '';
    return {
      path: `promotion.${setting}`,
      message: `the policy ${policy.name} has no ${setting}`,
      suggestion: `Leave it out${instead}`,
    };
  });
}

function checkPolicysTrial(
  { policy: name, trial }: Promotion,
  catalogue: readonly Policy[],
): SpecIssue[] {
  const policy = catalogue.find((p) => p.name === name);
  if (!policy?.trials || policy.trials.includes(trial.kind)) return [];
  const kinds = policy.trials.join(' or ');
  return [
    {
      path: 'promotion.trial.kind',
      message: `the policy ${name} decides in a trial of kind ${kinds}, not ${trial.kind}`,
      suggestion: `Write \`trial: { kind: ${policy.trials[0]} }\`, or use another policy`,
    },
  ];
}

function checkTrial({ guarantee, trial }: Promotion): SpecIssue[] {
  if (guarantee === 'strict' && (trial.kind === 'none' || trial.kind === 'manual')) {
    return [
      {
        path: 'promotion.guarantee',
        message: `a trial of kind ${trial.kind} has no rows that a sequential test could judge`,
        suggestion: 'Leave it out, or write `trial: { kind: shadow }`',
      },
    ];
  }
  if (trial.kind !== 'canary') return [];
  const days = trial.steps.length * trial.stepDays;
  if (days <= trial.maxDays) return [];
  return [
    {
      path: 'promotion.trial.maxDays',
      message: `${trial.steps.length} steps of ${trial.stepDays} days take ${days}, maxDays is ${trial.maxDays}`,
      suggestion: `Write \`maxDays: ${days}\` or more, or take fewer or shorter steps`,
    },
  ];
}
