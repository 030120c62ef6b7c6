import { z } from 'zod';

/** Characters of a name. */
export const NAME_MAX = 63;
/** Names of models, datasets and instruments: what may stand in ids, paths and URLs. */
export const NAME_PATTERN = /^[a-z0-9][a-z0-9._-]{0,62}$/;
export const INSTRUMENT_PATTERN = /^[A-Za-z0-9^][A-Za-z0-9^._=-]{0,31}$/;

export const nameSchema = z
  .string()
  .regex(NAME_PATTERN, 'lower case letters, digits, ".", "_", "-"; 63 at most');
