import type { QualityRule } from './rule.ts';
import { copiedColumn } from './rules/copied-column.ts';
import { flat } from './rules/flat.ts';
import { jump } from './rules/jump.ts';
import { leadingArtefact } from './rules/leading-artefact.ts';
import { missing } from './rules/missing.ts';
import { ohlc } from './rules/ohlc.ts';
import { openEqualsClose } from './rules/open-equals-close.ts';
import { order } from './rules/order.ts';
import { provisional } from './rules/provisional.ts';
import { spikeRevert } from './rules/spike-revert.ts';
import { splitLike } from './rules/split-like.ts';
import { staleTail } from './rules/stale-tail.ts';
import { timeZone } from './rules/time-zone.ts';
import { vintageSplice } from './rules/vintage-splice.ts';
import { zeroVolume } from './rules/zero-volume.ts';

/** The catalogue of quality rules, in the order of reports. */
export const qualityRules: readonly QualityRule[] = [
  order,
  ohlc,
  missing,
  flat,
  zeroVolume,
  openEqualsClose,
  leadingArtefact,
  jump,
  spikeRevert,
  splitLike,
  vintageSplice,
  timeZone,
  provisional,
  copiedColumn,
  staleTail,
];
