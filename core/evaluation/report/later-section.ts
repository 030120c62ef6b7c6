import { RatchetError } from '../../errors.ts';
import { list, section } from './html.ts';

const NAV_END = '</nav></header>';
const PAGE_END = '</main></body></html>';

/** What is found out of a version after it was evaluated. */
export interface LaterSection {
  readonly id: string;
  readonly title: string;
  readonly sentences: readonly string[];
}

/**
 * A page of `renderReport` with one more section at its end, in its list of sections too. Throws `report.markup` for
 * what is no such page.
 */
export function withLaterSection(page: string, { id, title, sentences }: LaterSection): string {
  const [nav, end] = [page.indexOf(NAV_END), page.lastIndexOf(PAGE_END)];
  if (nav < 0 || end < nav) throw new RatchetError('report.markup', 'the page is no report');
  return [
    page.slice(0, nav),
    `<a href="#${id}">${title}</a>`,
    page.slice(nav, end),
    section(id, title, list(sentences, 'Nothing was found out.')),
    page.slice(end),
  ].join('');
}
