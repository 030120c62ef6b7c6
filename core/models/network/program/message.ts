/** Wire types of protobuf: https://protobuf.dev/programming-guides/encoding/ */
const WIRE = { varint: 0, bytes: 2, fixed32: 5 } as const;
const utf8 = new TextEncoder();

/** A protobuf message that is written field by field; what is not written keeps its default. */
export class Message {
  readonly #pieces: Uint8Array[] = [];

  int(field: number, value: number): this {
    this.#varint((field << 3) | WIRE.varint);
    return this.#varint(value);
  }

  float(field: number, value: number): this {
    this.#varint((field << 3) | WIRE.fixed32);
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    this.#pieces.push(bytes);
    return this;
  }

  text(field: number, value: string): this {
    return this.bytes(field, utf8.encode(value));
  }

  message(field: number, value: Message): this {
    return this.bytes(field, value.encode());
  }

  bytes(field: number, value: Uint8Array): this {
    this.#varint((field << 3) | WIRE.bytes);
    this.#varint(value.length);
    this.#pieces.push(value);
    return this;
  }

  /** An entry of a map<string, message>, which protobuf writes as a message of its own. */
  entry(field: number, key: string, value: Message): this {
    return this.message(field, new Message().text(1, key).message(2, value));
  }

  encode(): Uint8Array {
    const length = this.#pieces.reduce((sum, piece) => sum + piece.length, 0);
    const out = new Uint8Array(length);
    let at = 0;
    for (const piece of this.#pieces) {
      out.set(piece, at);
      at += piece.length;
    }
    return out;
  }

  /** A negative number takes ten bytes, two's complement. */
  #varint(value: number): this {
    const bytes: number[] = [];
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
    this.#pieces.push(Uint8Array.of(...bytes, Number(rest)));
    return this;
  }
}
