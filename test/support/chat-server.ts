/** A local server that plays an OpenAI-compatible chat API, by a script. */
import type { ServerResponse } from 'node:http';
import { openReceiver, type Reaction, type WebhookReceiver } from './webhook-receiver.ts';

const send = (
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void => {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
};

/** A completion with this text, in the shape that such servers answer with. */
export const completion =
  (content: string | null, change: object = {}): Reaction =>
  (response) =>
    send(response, 200, {
      id: 'chatcmpl-9f2',
      object: 'chat.completion',
      created: 1_764_000_000,
      model: 'test-model',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content, refusal: null },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: { prompt_tokens: 200, completion_tokens: 20, total_tokens: 220 },
      system_fingerprint: 'fp_1',
      ...change,
    });

/** An advisor's answer. */
export const sizeOf = (sizePercent: unknown, reason = 'because'): Reaction =>
  completion(JSON.stringify({ sizePercent, reason }));
/** A checker's. */
export const verdictOf = (verdict: string, sizePercent: number, reason = 'so it is'): Reaction =>
  completion(JSON.stringify({ verdict, sizePercent, reason }));

/** An error object, as such servers send it. */
export const errorObject =
  (
    status: number,
    message: string,
    code: string | null = null,
    headers: Record<string, string> = {},
  ): Reaction =>
  (response) =>
    send(
      response,
      status,
      { error: { message, type: 'invalid_request_error', param: null, code } },
      headers,
    );

/** Any body as it is. */
export const raw =
  (body: string, headers: Record<string, string> = {}, status = 200): Reaction =>
  (response) =>
    send(response, status, body, headers);

/** Says nothing, until the connection is closed. */
export const silence: Reaction = () => undefined;

export interface ChatServer extends WebhookReceiver {
  /** Base of the API, as operators write it. */
  readonly base: string;
  /** Bodies that were sent to it. */
  readonly asked: () => readonly ChatBody[];
}

export interface ChatBody {
  readonly model: string;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly stream: boolean;
  readonly response_format?: { readonly type: string };
}

export async function openChatServer(): Promise<ChatServer> {
  const receiver = await openReceiver();
  return {
    ...receiver,
    base: `${receiver.url}/v1`,
    asked: () => receiver.posts.map(({ body }) => JSON.parse(body) as ChatBody),
  };
}
