export const DAY_MS = 86_400_000;

/** Days since 1970-01-01 of an ISO date (YYYY-MM-DD). */
export const dayOfIso = (iso: string): number => Date.parse(`${iso}T00:00:00Z`) / DAY_MS;

/** ISO date of a UTC instant in ms. */
export const isoDate = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** Is this (YYYY-MM-DD) a day of the calendar? `Date.parse` takes February 30th for March 1st. */
export function isDay(iso: string): boolean {
  const time = Date.parse(`${iso}T00:00:00Z`);
  return !Number.isNaN(time) && isoDate(time) === iso;
}

/** 0 = Sunday ... 6 = Saturday, of days since 1970-01-01 (a Thursday). */
export const weekday = (day: number): number => (((day + 4) % 7) + 7) % 7;

/** ISO instant, shortened to the date where it is midnight UTC. */
export function isoTime(ms: number): string {
  const iso = new Date(ms).toISOString();
  return iso.endsWith('T00:00:00.000Z') ? iso.slice(0, 10) : iso.replace('.000Z', 'Z');
}
