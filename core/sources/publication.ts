import { sources } from './index.ts';

/** How long after its grace a bar may be published, by the slowest of some datasets (ms); of uploads and series nothing is known. */
export function publicationDelay(
  datasets: ReadonlyMap<string, { readonly source: string }>,
  of: readonly { readonly dataset: string }[],
): number {
  const delays = of.map(({ dataset }) => {
    const known = datasets.get(dataset);
    return (known && sources.get(known.source)?.declaredDelayMs) ?? 0;
  });
  return Math.max(0, ...delays);
}
