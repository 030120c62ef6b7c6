/** What a language model may answer, and how it is read out of what it wrote. */
import { z } from 'zod';
import { SIZE_MAX, SIZE_MIN } from './size.ts';

/** A longer text is not looked at: an answer has two or three fields. */
export const CONTENT_MAX_CHARS = 16 * 1024;
const REASON_MAX_CHARS = 300;
/** Opening braces that are tried; prose has few. */
const TRIES_MAX = 64;

/** One line without control characters: it is stored, shown in terminals, and never acted on. */
export const plainText = (text: string, maxChars = REASON_MAX_CHARS): string =>
  text
    .slice(0, 4 * maxChars)
    .replaceAll(/[\p{C}\p{Z}]+/gu, ' ')
    .trim()
    .slice(0, maxChars);

const sizePercent = z
  .number()
  .min(SIZE_MIN * 100)
  .max(SIZE_MAX * 100);
const reason = z.string().transform((text) => plainText(text));

/** Of the first endpoint. Fields beside these are left out. */
export const advisorAnswerSchema = z.object({ sizePercent, reason });
/** Of the second. */
export const checkerAnswerSchema = z.object({
  verdict: z.enum(['agree', 'disagree']),
  sizePercent,
  reason,
});
export type AdvisorAnswer = z.infer<typeof advisorAnswerSchema>;
export type CheckerAnswer = z.infer<typeof checkerAnswerSchema>;

/** What is wrong with a text, in words of ours: the text itself is not repeated to anybody. */
export type AnswerFault = 'too-long' | 'no-object' | 'several-objects' | 'not-valid';

export type ReadAnswer<T> =
  { readonly ok: true; readonly answer: T } | { readonly ok: false; readonly fault: AnswerFault };

/**
 * The one JSON object in a text, whatever prose or code fence stands around it, if it is what `schema` says. Two objects
 * are a fault: nobody can say which one was meant.
 */
export function readAnswer<S extends z.ZodType>(text: string, schema: S): ReadAnswer<z.output<S>> {
  if (text.length > CONTENT_MAX_CHARS) return { ok: false, fault: 'too-long' };
  const [found, another] = objectsIn(text);
  if (found === undefined) return { ok: false, fault: 'no-object' };
  if (another !== undefined) return { ok: false, fault: 'several-objects' };
  const parsed = schema.safeParse(found);
  return parsed.success ? { ok: true, answer: parsed.data } : { ok: false, fault: 'not-valid' };
}

/** Objects that stand in no other one; two at most. */
function objectsIn(text: string): unknown[] {
  const found: unknown[] = [];
  let from = text.indexOf('{');
  for (let tries = 0; from >= 0 && tries < TRIES_MAX && found.length < 2; tries++) {
    const end = endOfObject(text, from);
    const value = end < 0 ? undefined : parsedObject(text.slice(from, end));
    if (value !== undefined) found.push(value);
    from = text.indexOf('{', end < 0 ? from + 1 : end);
  }
  return found;
}

function parsedObject(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Index after the brace that closes the one at `from`; -1 where none does. Braces within strings do not count. */
function endOfObject(text: string, from: number): number {
  let depth = 0;
  let quoted = false;
  for (let i = from; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c === '\\') i++;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === '{') depth++;
    else if (c === '}' && --depth === 0) return i + 1;
  }
  return -1;
}
