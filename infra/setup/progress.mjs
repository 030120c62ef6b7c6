const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

/** Shows set-up: one line a finished step; on a terminal also a live line of what is running. */
export class Progress {
  #begin = Date.now();
  #running = new Map();
  #timer;
  #tty = process.stdout.isTTY === true;
  #quiet;
  #ran = 0;

  constructor({ quiet = false } = {}) {
    this.#quiet = quiet;
  }

  get elapsedMs() {
    return Date.now() - this.#begin;
  }

  /** Steps that did work in this run. */
  get ran() {
    return this.#ran;
  }

  started(step) {
    this.#ran += 1;
    this.#running.set(step.name, { at: Date.now(), text: step.title });
    if (!this.#tty) return this.#line(`  ..  ${step.name.padEnd(12)} ${step.title}`);
    this.#timer ??= setInterval(() => this.#live(), 200).unref();
  }

  say(step, text) {
    const entry = this.#running.get(step.name);
    if (entry) entry.text = text;
    if (!this.#tty) this.#line(`  ..  ${step.name.padEnd(12)} ${text}`);
  }

  finished(step, part) {
    const entry = this.#running.get(step.name);
    this.#running.delete(step.name);
    const time = entry ? seconds(Date.now() - entry.at).padStart(8) : '       -';
    const mark = part.state === 'ready' ? 'ok' : part.failed ? '!!' : '--';
    if (this.#quiet && !entry && part.state === 'ready') return;
    this.#line(`  ${mark}  ${step.name.padEnd(12)}${time}  ${part.detail}`);
    if (part.state === 'missing' && part.without) this.#line(`      without it: ${part.without}`);
    if (part.state === 'missing' && part.fix) this.#line(`      to have it: ${part.fix}`);
  }

  end(text) {
    if (this.#timer) clearInterval(this.#timer);
    this.#clear();
    console.log(text);
  }

  #line(text) {
    this.#clear();
    console.log(text);
  }

  #clear() {
    if (this.#tty) process.stdout.write('\r\u001b[2K');
  }

  #live() {
    const now = Date.now();
    const parts = [...this.#running].map(([name, e]) => `${name} ${seconds(now - e.at)}`);
    const one = this.#running.size === 1 ? `: ${[...this.#running.values()][0].text}` : '';
    const text = `  ${seconds(now - this.#begin)}  ${parts.join(' | ')}${one}`;
    this.#clear();
    process.stdout.write(text.slice(0, (process.stdout.columns ?? 100) - 1));
  }
}
