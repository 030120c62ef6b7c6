/**
 * The process that says what each feature contributed to a prediction: it loads the native libraries that a process which
 * serves must not. Started on demand by api/serving/explainer.ts, whose end it does not outlive.
 */
import { RatchetError } from '../core/errors.ts';
import { modelFamilyOrThrow } from '../core/models/index.ts';
import type { Contributions, Windows } from '../core/models/model.ts';

/** One question; the native file comes out of a verified package. */
export interface ExplainQuestion {
  readonly id: number;
  readonly family: string;
  readonly nativeFile: Uint8Array;
  readonly windows: Windows;
}

export type ExplainReply =
  | { readonly id: number; readonly ok: true; readonly contributions: Contributions }
  | { readonly id: number; readonly ok: false; readonly code: string; readonly message: string };

async function answer({ id, family, nativeFile, windows }: ExplainQuestion): Promise<ExplainReply> {
  try {
    const { implementation } = await modelFamilyOrThrow(family).load();
    if (!implementation.contributions) {
      throw new RatchetError('explain.unknown', `the family ${family} has no contributions`);
    }
    return { id, ok: true, contributions: await implementation.contributions(nativeFile, windows) };
  } catch (error) {
    const code = error instanceof RatchetError ? error.code : 'explain.failed';
    return { id, ok: false, code, message: (error as Error).message };
  }
}

process.on('message', (question: ExplainQuestion) => {
  void answer(question).then((reply) => process.send?.(reply));
});
process.on('disconnect', () => process.exit(0));
