/** Messages as bytes: numbers one after the other, little-endian. */

/** Writes numbers and texts one after the other. */
export class ByteWriter {
  readonly #bytes: number[] = [];
  readonly #view = new DataView(new ArrayBuffer(8));

  byte(value: number): this {
    this.#bytes.push(value & 255);
    return this;
  }

  /** A whole number from 0 to 2³² − 1. */
  word(value: number): this {
    this.#view.setUint32(0, value, true);
    return this.#take(4);
  }

  float(value: number): this {
    this.#view.setFloat32(0, value, true);
    return this.#take(4);
  }

  double(value: number): this {
    this.#view.setFloat64(0, value, true);
    return this.#take(8);
  }

  text(value: string): this {
    const bytes = new TextEncoder().encode(value);
    this.word(bytes.length).#bytes.push(...bytes);
    return this;
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  #take(count: number): this {
    for (let index = 0; index < count; index++) this.#bytes.push(this.#view.getUint8(index));
    return this;
  }
}

/** Reads what a `ByteWriter` wrote. Reading past the end throws RangeError. */
export class ByteReader {
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  byte(): number {
    return this.#view.getUint8(this.#step(1));
  }

  word(): number {
    return this.#view.getUint32(this.#step(4), true);
  }

  float(): number {
    return this.#view.getFloat32(this.#step(4), true);
  }

  double(): number {
    return this.#view.getFloat64(this.#step(8), true);
  }

  text(): string {
    const length = this.word();
    const start = this.#step(length);
    if (this.#at > this.#view.byteLength) throw new RangeError("A text ends behind its message.");
    const { buffer, byteOffset } = this.#view;
    return new TextDecoder().decode(new Uint8Array(buffer, byteOffset + start, length));
  }

  /** @throws RangeError where bytes are left */
  end(): void {
    if (this.#at !== this.#view.byteLength) throw new RangeError("A message is longer than it should be.");
  }

  #step(count: number): number {
    const start = this.#at;
    this.#at += count;
    return start;
  }
}
