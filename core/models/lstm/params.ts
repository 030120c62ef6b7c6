import { z } from 'zod';

const rate = z.number().min(0).max(0.9);
export const layerWidth = z.int().min(1).max(1024);

interface Widths {
  readonly units: number[];
  /** What a search of `units` chooses from. */
  readonly searched: readonly (readonly number[])[];
  readonly dense: number[];
}

/** Hyperparameters of stacked LSTM layers; each family has its own widths. */
export const lstmFields = ({ units, searched, dense }: Widths) => ({
  units: z
    .array(layerWidth)
    .min(1)
    .max(4)
    .default(units)
    .meta({ search: { choices: searched } })
    .describe('Units of each LSTM layer, first to last; batch normalisation follows each.'),
  dropout: rate
    .default(0.2)
    .meta({ search: { high: 0.5 } })
    .describe(
      'Share of inputs dropped before each LSTM layer and of outputs after each dense one.',
    ),
  recurrentDropout: rate
    .default(0.2)
    .meta({ search: { high: 0.5 } })
    .describe('Share of recurrent inputs dropped: rows of the recurrent matrix, one mask a batch.'),
  dense: z.array(layerWidth).max(4).default(dense).describe('Widths of the shared relu layers.'),
});
