import type { Json } from './http.ts';

/** Dimensions of a search as its events and the API tell them: `learningRate 0.0001 to 0.01 (log), units of [8], [16]`. */
export function spaceWords(space: unknown): string {
  if (!Array.isArray(space)) return '';
  return (space as Json[]).map(dimensionWords).join(', ');
}

function dimensionWords({ path, choices, low, high, scale }: Json): string {
  if (Array.isArray(choices)) {
    return `${String(path)} of ${choices.map((choice) => JSON.stringify(choice)).join(', ')}`;
  }
  return `${String(path)} ${String(low)} to ${String(high)}${scale === 'log' ? ' (log)' : ''}`;
}

/** `learningRate 0.00123, units [8,8]` */
export const pointWords = (point: unknown): string =>
  typeof point === 'object' && point !== null
    ? Object.entries(point)
        .map(([name, value]) => `${name} ${JSON.stringify(value)}`)
        .join(', ')
    : '';

/** Losses are compared with each other: more digits than a person reads would hide it. */
export const lossWords = (loss: unknown): string =>
  typeof loss === 'number' ? loss.toPrecision(5) : '-';
