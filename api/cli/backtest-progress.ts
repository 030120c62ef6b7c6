import type { ProgressEvent } from './events.ts';
import { duration } from './progress.ts';

interface Words {
  readonly text: string;
  /** The next of these takes its place. */
  readonly live?: true;
}

type BacktestEvent = Pick<ProgressEvent, 'kind' | 'payload' | 'at'>;

/** What the events of one backtest say to a person: how far it is, and the time that is left at most. */
export class BacktestProgress {
  #folds = 0;
  #trained = 0;
  #answered = 0;
  /** ms UTC. */
  #began = 0;

  /** Nothing of an end: who follows it shows what it came to. A line that stays hides the live one, so that follows it. */
  wordsOf({ kind, payload, at }: BacktestEvent): readonly Words[] {
    if (kind === 'result') return [{ text: `simulated ${String(payload['strategy'])}` }];
    if (kind === 'plan') {
      this.#began = Date.parse(at);
      this.#folds = Number(payload['folds']);
      const names = (payload['strategies'] as string[]).join(', ');
      const ask =
        this.#folds === 1
          ? '1 stretch of the period asks'
          : `${this.#folds} stretches of the period ask`;
      const text = `strategies ${names}; ${ask} a model`;
      return [{ text }, ...(this.#folds > 0 ? [this.#howFar(at)] : [])];
    }
    if (kind === 'fold' && payload['status'] !== 'completed') {
      const [from, status] = [String(payload['from']).slice(0, 10), String(payload['status'])];
      const text = `the model from ${from} on ${status}: ${String(payload['message'])}`;
      return [{ text }, this.#howFar(at)];
    }
    if (kind === 'fold') this.#trained++;
    if (kind === 'answers') this.#answered++;
    if (kind === 'advice') {
      const { strategy, asked, remembered, questions } = payload;
      const text = `advice for ${String(strategy)}: ${String(asked)} asked, ${String(remembered)} remembered of ${String(questions)}`;
      return [{ text }];
    }
    return kind === 'fold' || kind === 'answers' ? [this.#howFar(at)] : [];
  }

  #howFar(at: string): Words {
    const [done, of] = [this.#answered, this.#folds];
    const trained = this.#trained > 0 ? `, models trained: ${this.#trained}` : '';
    // Several go on at once: until the first few are through, each seems to take longer than it does.
    const seconds = (Date.parse(at) - this.#began) / 1000;
    const left =
      done > 0 && done < of ? `, at most ${duration((seconds / done) * (of - done))} left` : '';
    return { text: `stretches answered: ${done} of ${of}${trained}${left}`, live: true };
  }
}
