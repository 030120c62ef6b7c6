import type { CompressionRules, CompressionStep } from '../onnx/compress/compress.ts';

/** What became of the wish for a smaller graph; `manifest.json` and the card say it. */
export interface CompressionFacts {
  readonly asked: CompressionRules & { readonly tolerance: number };
  /** `accepted`: the smaller graph is packaged; else the one as trained. */
  readonly status: 'accepted' | 'rejected' | 'notApplicable';
  readonly steps: readonly CompressionStep[];
  /**
   * Absent where nothing was applied, or what was gives answers that are no numbers. All by the evaluated fit, losses on
   * its validation part.
   */
  readonly measured?: {
    readonly windows: number;
    readonly loss: { readonly trained: number; readonly smaller: number };
    /** Largest |difference| of an answer / max(|answer|, SD of the label or 1 of a probability). */
    readonly difference: number;
    readonly bytes: { readonly trained: number; readonly smaller: number };
    /** After deflate, as a package travels: zeros take no place there. */
    readonly deflatedBytes: { readonly trained: number; readonly smaller: number };
    /** Median of one window on the packaging machine. */
    readonly milliseconds: { readonly trained: number; readonly smaller: number };
  };
}

/** Loss of the smaller graph in proportion to the trained one's, less 1; NaN where either is no number. */
export const lossRise = ({ trained, smaller }: { trained: number; smaller: number }): number =>
  smaller === trained ? 0 : smaller / trained - 1;

/** Is the smaller graph good enough? NaN never is. */
export const isWithin = (rise: number, tolerance: number): boolean => rise <= tolerance;

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
const signed = (share: number): string => `${share < 0 ? '' : '+'}${percent(share)}`;
const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(0)} kB`;
const short = (value: number): string => String(Number(value.toPrecision(4)));

/** The same in sentences. */
export function compressionWords({ asked, status, steps, measured }: CompressionFacts): string[] {
  const impossible = steps
    .filter((step) => step.status === 'notApplicable')
    .map(({ what, words }) => `Not applicable, ${what}: ${words}.`);
  if (!measured) {
    const why = status === 'rejected' ? ', because a smaller one answers with no numbers' : '';
    return [`The graph is packaged as trained${why}.`, ...impossible];
  }
  const { loss, difference, bytes, deflatedBytes, milliseconds, windows } = measured;
  const done = steps.filter((step) => step.status === 'applied').map(({ words }) => words);
  const rise =
    `Loss on ${windows} validation windows ${short(loss.smaller)} against ${short(loss.trained)} as trained ` +
    `(${signed(lossRise(loss))}, at most +${percent(asked.tolerance)} allowed).`;
  return [
    status === 'accepted'
      ? `The graph is smaller than the trained one: ${done.join('; ')}.`
      : `The graph is packaged as trained, because a smaller one (${done.join('; ')}) loses too much.`,
    rise,
    `Its answers differ by at most ${percent(difference)} of their scale. ` +
      `${kilobytes(bytes.smaller)} instead of ${kilobytes(bytes.trained)} ` +
      `(deflated ${kilobytes(deflatedBytes.smaller)} instead of ${kilobytes(deflatedBytes.trained)}), ` +
      `${milliseconds.smaller.toFixed(3)} ms instead of ${milliseconds.trained.toFixed(3)} ms a window where it was packaged.`,
    ...impossible,
  ];
}
