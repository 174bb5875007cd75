/** What workers say of parts of a batch: gradients and what was learned, in pieces, put together and held to each other. */

import { type Position, subjects } from "../run/messages.ts";
import type { AnswerForm } from "../run/questions.ts";
import type { Transport } from "../transport.ts";
import { Arrival, decodePiece, encodeLacking, pieceSize, type Whole } from "./pieces.ts";

/** A part's answer. */
export interface PartAnswer extends Pick<Whole, "loss" | "unforeseen"> {
  /** Gradients and what was learned, as `layout.ts` has them; none where something is not finite. */
  readonly bytes: Uint8Array;
}

/** How far two computers may differ, as a share of the length of a gradient: a ReLU near 0 may be cut off on one of them alone. */
const difference = 0.05;

/** Hears answers of one step at a time. */
export class PartAnswers implements AnswerForm<PartAnswer> {
  readonly subject = subjects.part;
  readonly name = "gradients of a part of a batch";
  /** Gradients may take long on their way. */
  readonly mostPatience = 30_000;
  readonly #transport: Transport;
  /** By sender and part. */
  readonly #arriving = new Map<string, { readonly whole: Whole; readonly arrival: Arrival }>();
  #gradientBytes = 0;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** A new step: what came before counts no more. @param gradientBytes how many bytes of an answer are gradients */
  begin(gradientBytes: number): void {
    this.#gradientBytes = gradientBytes;
    this.#arriving.clear();
  }

  read(message: Uint8Array, sender: string) {
    const piece = decodePiece(message);
    if (!piece) return undefined;
    const { after, step, before, part, loss, unforeseen, total } = piece;
    const whole = { after, step, before, part, loss, unforeseen, total };
    const where = { after, step, before, piece: part };
    if (total === 0) return { ...where, answer: { loss, unforeseen, bytes: new Uint8Array() } };
    const key = `${sender} ${part}`;
    const now = performance.now();
    let there = this.#arriving.get(key);
    if (there?.whole.total !== total || there.whole.after !== after || !Object.is(there.whole.loss, loss)) {
      there = { whole, arrival: new Arrival(total, pieceSize(this.#transport.largestMessage), now) };
      this.#arriving.set(key, there);
    }
    const { arrival } = there;
    arrival.take(piece, now);
    return { ...where, answer: arrival.isWhole ? { loss, unforeseen, bytes: arrival.bytes } : undefined };
  }

  lookAfter(now: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const [key, { whole, arrival }] of this.#arriving) {
      const indices = arrival.wanted(now);
      const [participant = ""] = key.split(" ");
      if (indices.length > 0) this.#askFor({ ...whole, participant, indices });
      next = Math.min(next, arrival.due(now));
    }
    return next;
  }

  note(): void {}

  readonly areNumbers = ({ loss, bytes }: PartAnswer): boolean =>
    Number.isFinite(loss) && bytes.length > 0 && this.#gradient(bytes).every(Number.isFinite);

  readonly agree = (one: PartAnswer, other: PartAnswer): boolean => {
    const [a, b] = [this.#gradient(one.bytes), this.#gradient(other.bytes)];
    if (a.length !== b.length) return false;
    let [apart, length] = [0, 0];
    for (let at = 0; at < a.length; at++) {
      apart += ((a[at] as number) - (b[at] as number)) ** 2;
      length += (b[at] as number) ** 2;
    }
    const isNear = Math.abs(one.loss - other.loss) <= difference * Math.max(Math.abs(other.loss), 1e-6);
    return isNear && apart <= difference ** 2 * length;
  };

  #gradient(bytes: Uint8Array): Float32Array {
    return new Float32Array(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, this.#gradientBytes) / 4);
  }

  #askFor(
    lacking: Position & Pick<Whole, "part"> & { participant: string; indices: readonly number[] },
  ): void {
    this.#transport.publish("coordinator", subjects.more, encodeLacking(lacking));
  }
}
