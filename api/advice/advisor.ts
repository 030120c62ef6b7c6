import type { Log } from '../../activities/deps.ts';
import {
  accountFacts,
  byRule,
  decideSize,
  ruleAdvice,
  ruleSettingsSchema,
  TOLERANCE_POINTS,
  withoutAccount,
  type AccountFacts,
  type AdviceDecision,
  type AdviceFacts,
  type ExchangeRecord,
  type RuleAdvice,
  type RuleSettings,
} from '../../core/advice/index.ts';
import { RatchetError } from '../../core/errors.ts';
import { AccountError, readAccount, type AccountSettings } from './account-provider.ts';
import { askModels } from './ask-models.ts';
import { ChatEndpoint, type EndpointSettings } from './chat-endpoint.ts';
import type { Exchange } from './exchange.ts';

/** `advice` of ratchet.config.yaml. */
export interface AdviceSettings {
  /** Absent: the rule decides. */
  readonly models:
    { readonly advisor: EndpointSettings; readonly checker: EndpointSettings } | undefined;
  readonly account: AccountSettings | undefined;
  readonly rule: RuleSettings;
  /** Percentage points that two answers may lie apart and still agree. */
  readonly tolerancePoints: number;
}

/** Nothing is configured: the rule decides, without an account. */
export const NO_ADVICE: AdviceSettings = {
  models: undefined,
  account: undefined,
  rule: ruleSettingsSchema.parse({}),
  tolerancePoints: TOLERANCE_POINTS.default,
};

/** Pieces of advice under way at once, each with a connection; beyond, the rule decides. */
const UNDER_WAY_MAX = 8;

export interface AdviceQuestion {
  readonly signal: AdviceFacts['signal'];
  readonly market: AdviceFacts['market'];
  /** Absent: the account provider is asked. */
  readonly account?: AccountFacts | undefined;
  readonly instrument: string | null;
}

export interface Advice {
  readonly facts: AdviceFacts;
  readonly rule: RuleAdvice;
  readonly decision: AdviceDecision;
  /** In the order they were asked. */
  readonly exchanges: readonly ExchangeRecord[];
  readonly latencyMs: number;
}

/** Advises a size. It always answers: by two models that agree, else by the rule, and says which. */
export class Advisor {
  readonly #settings: AdviceSettings;
  readonly #exchange: Exchange;
  readonly #now: () => number;
  readonly #log: Log;
  readonly #models: { readonly advisor: ChatEndpoint; readonly checker: ChatEndpoint } | undefined;
  #underWay = 0;

  /** `now`: monotonic ms. */
  constructor(
    settings: AdviceSettings,
    { exchange, now, log }: { exchange: Exchange; now: () => number; log: Log },
  ) {
    this.#settings = settings;
    this.#exchange = exchange;
    this.#now = now;
    this.#log = log;
    const { models } = settings;
    this.#models = models && {
      advisor: new ChatEndpoint(models.advisor, exchange, now),
      checker: new ChatEndpoint(models.checker, exchange, now),
    };
  }

  async advise(question: AdviceQuestion): Promise<Advice> {
    const from = this.#now();
    const exchanges: ExchangeRecord[] = [];
    const isBusy = this.#underWay >= UNDER_WAY_MAX;
    this.#underWay++;
    try {
      const { signal, market } = question;
      const account = isBusy ? (question.account ?? null) : await this.#account(question);
      const facts: AdviceFacts = { signal, market, account: account ?? null };
      const rule = ruleAdvice(facts, this.#settings.rule);
      const decision = isBusy
        ? this.#whenBusy(question, rule)
        : account === undefined
          ? withoutAccount
          : await this.#decide(facts, rule, exchanges);
      return { facts, rule, decision, exchanges, latencyMs: Math.round(this.#now() - from) };
    } finally {
      this.#underWay--;
    }
  }

  /** null: there is no provider; undefined: it failed. */
  async #account({
    account,
    instrument,
  }: AdviceQuestion): Promise<AccountFacts | null | undefined> {
    const provider = this.#settings.account;
    if (account !== undefined) return account;
    if (provider === undefined) return null;
    try {
      return accountFacts(await readAccount(provider, this.#exchange), instrument);
    } catch (error) {
      // An answer without an account is one of its own: the least size, and it says so.
      if (!(error instanceof AccountError)) throw error;
      this.#log.warn({ what: error.message }, 'advice goes without an account');
      return undefined;
    }
  }

  /** The drawdown that the rule should know is not known where a provider was not asked. */
  #whenBusy(question: AdviceQuestion, rule: RuleAdvice): AdviceDecision {
    const unknown = question.account === undefined && this.#settings.account !== undefined;
    return { ...byRule(rule, 'busy'), ...(unknown && { size: withoutAccount.size }) };
  }

  async #decide(
    facts: AdviceFacts,
    rule: RuleAdvice,
    exchanges: ExchangeRecord[],
  ): Promise<AdviceDecision> {
    // Whoever says not to act is not overruled, and nobody is paid for trying.
    if (rule.stop !== null) return byRule(rule, rule.stop);
    if (this.#models === undefined) return byRule(rule, 'not-configured');
    const asked = await askModels(this.#models, facts);
    for (const record of asked.exchanges) this.#keep(exchanges, record);
    return decideSize(rule, asked.advisor, asked.checker, this.#settings.tolerancePoints);
  }

  #keep(exchanges: ExchangeRecord[], record: ExchangeRecord): void {
    exchanges.push(record);
    const { role, outcome, status, fault } = record;
    if (outcome !== 'answered') {
      this.#log.warn({ role, outcome, status, fault }, 'an endpoint gave no advice');
    }
  }
}

/** What the process that listens brings. */
export interface AdviceServices {
  readonly settings: AdviceSettings;
  readonly exchange: Exchange;
}

const reachesNobody: Exchange = () =>
  Promise.reject(new RatchetError('internal.unreachable', 'nothing is configured to be asked'));

/** Without services the rule decides. `now`: monotonic ms. */
export const openAdvisor = (
  services: AdviceServices | undefined,
  { now, log }: { now: () => number; log: Log },
): Advisor =>
  new Advisor(services?.settings ?? NO_ADVICE, {
    exchange: services?.exchange ?? reachesNobody,
    ...{ now, log },
  });
