import type { Json } from './http.ts';
import type { CliContext } from './output.ts';

const signed = (value: unknown): string =>
  typeof value === 'number' ? `${value >= 0 ? '+' : ''}${value.toPrecision(3)}` : '-';

/** What the features contributed, where an answer was asked to say so. */
export function showExplanation(ctx: CliContext, answer: Json): void {
  const explanation = answer['explanation'] as Json | undefined;
  if (explanation === undefined) return;
  const entries = explanation['contributions'] as Json[] | null;
  if (entries === null) {
    ctx.out.line(`No contributions: ${String(explanation['reason'])}.`);
    return;
  }
  const unit = explanation['unit'] === 'logit' ? 'logits' : 'label units';
  for (const entry of entries) {
    const of = typeof entry['class'] === 'string' ? `, class ${entry['class']}` : '';
    const learned = entry['learned'] === 0 ? '' : `, learnt features ${signed(entry['learned'])}`;
    ctx.out.line(
      `Contributions at ${String(entry['horizon'])} bars${of}, in ${unit}: base ${signed(entry['base'])}${learned}, all others ${signed(entry['rest'])}`,
    );
    ctx.out.table(entry['top'] as Json[], [
      { title: 'feature', value: (row) => String(row['feature']) },
      { title: 'contribution', value: (row) => signed(row['contribution']), align: 'right' },
    ]);
  }
}
