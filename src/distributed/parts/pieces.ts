/** What is larger than a message, piece by piece: the first ones at once, the others as they are asked for. */
import { ByteWriter } from "../run/bytes.ts";
import { decoded, isSamePosition, type Position, readPosition, writePosition } from "../run/messages.ts";
import { formatVersion } from "../run/records.ts";

/** What a step begins with, which is no part of its batch. */
export const stateOfStep = 2 ** 32 - 1;

/** What all pieces of one thing say of it. */
export interface Whole extends Position {
  /** The part of the batch that it is about, counted from 0, or `stateOfStep`. */
  readonly part: number;
  /** Of a part: its loss, and what its guess did not foresee; NaN where there is none. */
  readonly loss: number;
  readonly unforeseen: number;
  /** Bytes of all pieces together; 0 for what has no numbers that are finite. */
  readonly total: number;
}

/** One piece. */
export interface Piece extends Whole {
  /** Counted from 0. */
  readonly index: number;
  readonly bytes: Uint8Array;
}

/** Which pieces somebody lacks. */
export interface Lacking extends Position {
  /** Who is to say them again; the coordinator where it is nobody. */
  readonly participant: string;
  readonly part: number;
  readonly indices: readonly number[];
}

const headBytes = 1 + 24 + 4 + 8 + 8 + 8 + 4;

/** A piece as bytes: 57 and its own. */
export function encodePiece(piece: Piece): Uint8Array {
  const { part, loss, unforeseen, total, index, bytes } = piece;
  const head = writePosition(new ByteWriter().byte(formatVersion), piece)
    .word(part)
    .double(loss)
    .double(unforeseen)
    .double(total)
    .word(index)
    .bytes();
  const message = new Uint8Array(head.length + bytes.length);
  message.set(head);
  message.set(bytes, head.length);
  return message;
}

/** @returns undefined for what is no piece of this version */
export function decodePiece(message: Uint8Array): Piece | undefined {
  const head = decoded(message.subarray(0, headBytes), (reader) => ({
    ...readPosition(reader),
    ...{ part: reader.word(), loss: reader.double(), unforeseen: reader.double(), total: reader.double() },
    index: reader.word(),
  }));
  return head && { ...head, bytes: message.subarray(headBytes) };
}

export function encodeLacking(lacking: Lacking): Uint8Array {
  const writer = writePosition(new ByteWriter().byte(formatVersion), lacking);
  writer.text(lacking.participant).word(lacking.part).word(lacking.indices.length);
  for (const index of lacking.indices) writer.word(index);
  return writer.bytes();
}

/** @returns undefined for what is none of this version */
export function decodeLacking(message: Uint8Array): Lacking | undefined {
  return decoded(message, (reader) => {
    const position = readPosition(reader);
    const [participant, part] = [reader.text(), reader.word()];
    const indices = Array.from({ length: reader.word() }, () => reader.word());
    return { ...position, participant, part, indices };
  });
}

/** Pieces that are under way at once: so many that no line has to keep much. */
const atOnce = 16;
const mostBytes = 2 ** 18;

/** How many bytes a piece has, where a message has at most so many. */
export function pieceSize(largestMessage: number): number {
  return Math.min(mostBytes, largestMessage - headBytes);
}

/** What is said piece by piece. */
export class Departure {
  readonly #whole: Whole;
  readonly #bytes: Uint8Array;
  readonly #size: number;
  readonly #say: (message: Uint8Array) => void;

  constructor(whole: Whole, bytes: Uint8Array, size: number, say: (message: Uint8Array) => void) {
    this.#whole = whole;
    this.#bytes = bytes;
    this.#size = size;
    this.#say = say;
  }

  /** Whether it is of this position. */
  isOf(position: Position): boolean {
    return isSamePosition(this.#whole, position);
  }

  /** Says the first pieces. @param count how many at most */
  begin(count = atOnce): void {
    const all = Math.max(1, Math.ceil(this.#bytes.length / this.#size));
    this.say(Array.from({ length: Math.min(count, all) }, (_, index) => index));
  }

  /** Says pieces that somebody lacks. */
  say(indices: readonly number[]): void {
    for (const index of indices.slice(0, atOnce)) {
      const bytes = this.#bytes.subarray(index * this.#size, (index + 1) * this.#size);
      if (bytes.length > 0 || index === 0) this.#say(encodePiece({ ...this.#whole, index, bytes }));
    }
  }
}

/** Milliseconds without a piece after which those that are missing are asked for again; twice as many each time. */
const firstPatience = 100;
const mostPatience = 6400;

/** What comes piece by piece. */
export class Arrival {
  readonly bytes: Uint8Array;
  readonly #size: number;
  readonly #missing: Set<number>;
  /** Those that are under way. */
  #awaited: Set<number>;
  #heard: number;
  #patience = firstPatience;

  /** @param now the clock's milliseconds, when the first pieces are under way */
  constructor(total: number, size: number, now: number) {
    this.bytes = new Uint8Array(total);
    this.#size = size;
    this.#missing = new Set(Array.from({ length: Math.ceil(total / size) }, (_, index) => index));
    this.#awaited = new Set([...this.#missing].slice(0, atOnce));
    this.#heard = now;
  }

  get isWhole(): boolean {
    return this.#missing.size === 0;
  }

  /** Takes a piece; one that does not fit is none. */
  take({ index, bytes, total }: Pick<Piece, "index" | "bytes" | "total">, now: number): void {
    if (total !== this.bytes.length) return;
    const length = Math.min(this.#size, total - index * this.#size);
    if (bytes.length !== length) return;
    this.#heard = now;
    this.#awaited.delete(index);
    if (this.#missing.delete(index)) this.bytes.set(bytes, index * this.#size);
  }

  /** Which pieces to ask for now: the next ones where none are under way, or again those that did not come in time. */
  wanted(now: number): readonly number[] {
    if (this.isWhole || this.due(now) > 0) return [];
    if (this.#awaited.size > 0) this.#patience = Math.min(2 * this.#patience, mostPatience);
    this.#awaited = new Set([...this.#missing].slice(0, atOnce));
    this.#heard = now;
    return [...this.#awaited];
  }

  /** Milliseconds until some are to be asked for. */
  due(now: number): number {
    if (this.isWhole) return Number.POSITIVE_INFINITY;
    return this.#awaited.size === 0 ? 0 : Math.max(0, this.#heard + this.#patience - now);
  }
}
