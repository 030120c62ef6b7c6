/** Lines at the end of a terminal that are drawn over again: one for each thing that goes on at the same time. */

/** More would scroll away what was said before, and lines that have left the screen cannot be drawn over. */
const SHOWN_MAX = 8;
const ERASE_LINE = '\r\u001b[2K';

interface LiveLine {
  readonly text: string;
  /** Higher: told later. */
  readonly told: number;
}

export class LiveLines {
  readonly #stdout: NodeJS.WritableStream;
  readonly #lines = new Map<string, LiveLine>();
  #told = 0;
  /** Lines on the screen; the cursor stands at the end of the last one. */
  #drawn = 0;

  constructor(stdout: NodeJS.WritableStream) {
    this.#stdout = stdout;
  }

  /** Draws `text` in the place of `key`: in order of the keys, at most `SHOWN_MAX` of them, those told last. */
  set(key: string, text: string, size: { readonly columns: number; readonly rows: number }): void {
    this.#lines.set(key, { text, told: ++this.#told });
    const most = Math.max(1, Math.min(SHOWN_MAX, size.rows - 1));
    while (this.#lines.size > most) this.#lines.delete(this.#oldest());
    const shown = [...this.#lines]
      .toSorted(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
      .map(([, line]) => `${ERASE_LINE}${line.text.slice(0, size.columns - 1)}`);
    this.#stdout.write(this.#erased() + shown.join('\n'));
    this.#drawn = shown.length;
  }

  /** Takes all lines from the screen. */
  erase(): void {
    if (this.#drawn > 0) this.#stdout.write(this.#erased() + ERASE_LINE);
    this.#forget();
  }

  /** Leaves the lines where they are; what follows starts on its own line. */
  end(): void {
    if (this.#drawn > 0) this.#stdout.write('\n');
    this.#forget();
  }

  #forget(): void {
    this.#lines.clear();
    this.#drawn = 0;
  }

  #oldest(): string {
    return [...this.#lines].reduce((a, b) => (b[1].told < a[1].told ? b : a))[0];
  }

  /** Clears the block but for its first line, where the cursor is then. */
  #erased(): string {
    return `${ERASE_LINE}\u001b[1A`.repeat(Math.max(0, this.#drawn - 1));
  }
}
