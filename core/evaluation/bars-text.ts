/** A number of bars in words: "1 bar", "4 bars". */
export const barsText = (bars: number): string => (bars === 1 ? '1 bar' : `${bars} bars`);
