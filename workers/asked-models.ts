import { createHash } from 'node:crypto';
import type { AskedModels, Log } from '../activities/deps.ts';
import { askModels } from '../api/advice/ask-models.ts';
import { ChatEndpoint, type EndpointSettings } from '../api/advice/chat-endpoint.ts';
import type { AdviceServices } from '../api/advice/advisor.ts';
import { PROMPT_VERSION } from '../core/advice/index.ts';

/** Everything that an answer may depend on; keys and time-outs are no part of it. */
const told = ({ url, model, maxTokens, jsonMode }: EndpointSettings): readonly unknown[] => [
  url.href,
  model,
  maxTokens,
  jsonMode,
];

/**
 * The operator's two endpoints for backtests; undefined: none are configured. `now`: monotonic ms. What an endpoint did is
 * logged in words of ours; its address and key are not.
 */
export function openAskedModels(
  { settings: { models, tolerancePoints }, exchange }: AdviceServices,
  { now, log }: { readonly now: () => number; readonly log: Log },
): AskedModels | undefined {
  if (models === undefined) return undefined;
  const advisor = new ChatEndpoint(models.advisor, exchange, now);
  const checker = new ChatEndpoint(models.checker, exchange, now);
  const identity = JSON.stringify([PROMPT_VERSION, told(models.advisor), told(models.checker)]);
  return {
    identity: createHash('sha256').update(identity).digest('hex'),
    names: { advisor: models.advisor.model, checker: models.checker.model },
    tolerancePoints,
    ask: async (facts) => {
      const { exchanges } = await askModels({ advisor, checker }, facts);
      for (const { role, outcome, status, fault } of exchanges) {
        if (outcome === 'answered') continue;
        log.warn({ role, outcome, status, fault }, 'an endpoint gave no advice');
      }
      return exchanges;
    },
  };
}
