import {
  Bool,
  Field,
  Float64,
  Int32,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  TimestampMillisecond,
  Utf8,
  makeData,
  vectorFromArray,
  type DataType,
  type TypeMap,
} from 'apache-arrow';
import { ARROW_COLUMNS } from './columns.ts';
import type { RowEncoder } from './encoder.ts';
import type { RangeShape } from './facts.ts';
import type { RangeRow } from './row.ts';

interface Column {
  readonly name: string;
  readonly type: DataType;
  readonly valueOf: (row: RangeRow) => unknown;
}

/** Columns of a row, flat; those of a horizon are named `h7_change`, of a class `h7_p_buy`. */
function columnsOf({ horizons, classes }: RangeShape): readonly Column[] {
  const of =
    <T>(pick: (prediction: NonNullable<RangeRow['prediction']>) => T) =>
    ({ prediction }: RangeRow): T | null =>
      prediction ? pick(prediction) : null;
  const named: Readonly<Record<(typeof ARROW_COLUMNS)[number], Omit<Column, 'name'>>> = {
    cursor: { type: new Utf8(), valueOf: ({ cursor }) => cursor },
    instrument: { type: new Utf8(), valueOf: ({ instrument }) => instrument },
    at: { type: new TimestampMillisecond(), valueOf: ({ at }) => Date.parse(at) },
    version: { type: new Int32(), valueOf: ({ version }) => version },
    asOf: { type: new TimestampMillisecond(), valueOf: of(({ asOf }) => Date.parse(asOf)) },
    lastClose: { type: new Float64(), valueOf: of(({ lastClose }) => lastClose) },
    staleBars: { type: new Int32(), valueOf: of(({ staleBars }) => staleBars) },
    stale: { type: new Bool(), valueOf: of(({ stale }) => stale) },
    consistency: { type: new Float64(), valueOf: of(({ consistency }) => consistency) },
    dissimilarity: { type: new Float64(), valueOf: of((p) => p.dissimilarity) },
    outlier: { type: new Bool(), valueOf: of(({ outlier }) => outlier) },
    abstain: { type: new Bool(), valueOf: of(({ abstain }) => abstain) },
    fallback: { type: new Utf8(), valueOf: of(({ fallback }) => fallback) },
    problem: { type: new Utf8(), valueOf: ({ problem }) => problem?.code ?? null },
  };
  return [
    ...ARROW_COLUMNS.map((name) => ({ name, ...named[name] })),
    ...horizons.flatMap((horizon) => columnsOfHorizon(horizon, classes)),
  ];
}

function columnsOfHorizon(horizon: number, classes: readonly string[]): readonly Column[] {
  const of =
    <T>(pick: (answer: NonNullable<RangeRow['prediction']>['horizons'][number]) => T) =>
    ({ prediction }: RangeRow): T | null => {
      const answer = prediction?.horizons.find((one) => one.horizon === horizon);
      return answer ? pick(answer) : null;
    };
  const name = (what: string): string => `h${horizon}_${what}`;
  return [
    { name: name('targetDate'), type: new Utf8(), valueOf: of((a) => a.targetDate) },
    { name: name('change'), type: new Float64(), valueOf: of((a) => a.change) },
    { name: name('price'), type: new Float64(), valueOf: of((a) => a.price) },
    { name: name('direction'), type: new Utf8(), valueOf: of((a) => a.direction) },
    ...(classes.length === 0
      ? []
      : [
          { name: name('class'), type: new Utf8(), valueOf: of((a) => a.classes?.class ?? null) },
          {
            name: name('probabilityUp'),
            type: new Float64(),
            valueOf: of((a) => a.probabilityUp),
          },
        ]),
    ...classes.map((one) => ({
      name: name(`p_${one}`),
      type: new Float64(),
      valueOf: of((a) => a.classes?.probabilities[one] ?? null),
    })),
  ];
}

/** Keeps what it writes until it is taken, so that the reader sets the pace. */
class TakenWriter extends RecordBatchStreamWriter<TypeMap> {
  #chunks: Uint8Array[] = [];

  protected override _write(chunk: Parameters<RecordBatchStreamWriter['_write']>[0]): this {
    const bytes = ArrayBuffer.isView(chunk)
      ? new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
      : undefined;
    if (bytes === undefined) throw new TypeError('a chunk of Arrow that is no view');
    if (bytes.byteLength > 0) {
      // Buffers of a batch are its own; those that the writer makes may be used again.
      this.#chunks.push(bytes.slice());
      this._position += bytes.byteLength;
    }
    return this;
  }

  take(): Uint8Array {
    const chunks = this.#chunks;
    this.#chunks = [];
    return Buffer.concat(chunks);
  }
}

/**
 * Rows as an Arrow IPC stream: the schema, a record batch for each call, and the end mark. What one encoder writes for a batch
 * every other of the same shape does, so that batches may be written apart and put together.
 */
export function arrowEncoder(shape: RangeShape): RowEncoder {
  const columns = columnsOf(shape);
  const schema = new Schema(columns.map(({ name, type }) => new Field(name, type, true)));
  const writer = new TakenWriter();
  // Opens the stream, so that one without rows has its columns too.
  writer.reset(undefined, schema);
  const head = writer.take();
  return {
    head,
    rows(rows) {
      const children = columns.map(
        ({ type, valueOf }) => vectorFromArray(rows.map(valueOf), type).data[0]!,
      );
      const data = makeData({
        type: new Struct(schema.fields),
        length: rows.length,
        nullCount: 0,
        children,
      });
      writer.write(new RecordBatch(schema, data));
      return writer.take();
    },
    tail() {
      writer.close();
      return writer.take();
    },
  };
}
