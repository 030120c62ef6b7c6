import { InvalidArgumentError } from 'commander';

/** How times are written, for the help; a date alone is midnight UTC, except where a command says otherwise. */
export const A_TIME = 'a date (its start, 00:00 UTC), or ISO 8601 with a zone';

/** Parser of an option that is a whole number within limits. */
export const integer =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`a whole number from ${min} to ${max}`);
  };

/** Parser of an option that is a number within limits. */
export const fraction =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() !== '' && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`a number from ${min} to ${max}`);
  };

/** Parser of a list with commas. */
export const list = (text: string): string[] => {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.every((part) => part !== '')) return parts;
  throw new InvalidArgumentError('names with commas between them');
};

const KEY = /^[\x21-\x7e]{8,128}$/;
/** Parser of an Idempotency-Key, by the rule of the API. */
export const idempotencyKey = (text: string): string => {
  if (KEY.test(text)) return text;
  throw new InvalidArgumentError('8 to 128 printable characters, no spaces');
};

export const MAX_VERSION = 2_147_483_647;
export const version = integer(1, MAX_VERSION);

/** Path segment of a name that the caller gave. */
export const segment = (name: string): string => encodeURIComponent(name);
