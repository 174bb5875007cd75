/** What workers say of granules, and whether two of them say the same, to rounding. */
import type { Measured } from "../weights/granule.ts";
import { decodeAnswer, subjects } from "./messages.ts";
import type { AnswerForm } from "./questions.ts";

/** How far derivatives of two computers may differ, as a share of what derivatives of the run are: other engines round differently. */
const rounding = 1e-3;

/** So many derivatives tell how large those of the run are now. */
const remembered = 64;

/**
 * Compares answers. A derivative near 0 is the difference of large numbers, whose rounding is as large as it would be elsewhere: so it is
 * held to the median of those that came last, which few liars cannot move.
 */
export class GranuleAnswers implements AnswerForm<Measured> {
  readonly subject = subjects.answer;
  readonly name = "derivatives of a granule";
  readonly mostPatience = 2000;
  #sizes: number[] = [];

  read(message: Uint8Array) {
    const answer = decodeAnswer(message);
    return answer && { ...answer, piece: answer.granule, answer };
  }

  readonly areNumbers = ({ derivatives, loss }: Measured): boolean =>
    Number.isFinite(loss) && derivatives.every((value) => Number.isFinite(value));

  note({ derivatives }: Measured): void {
    const sizes = [...derivatives].filter(Number.isFinite).map(Math.abs);
    this.#sizes = [...this.#sizes, ...sizes].slice(-remembered);
  }

  readonly agree = (one: Measured, other: Measured): boolean => {
    const usual = [...this.#sizes].sort((a, b) => a - b)[this.#sizes.length >> 1] ?? 0;
    const scale = Math.max(...[...one.derivatives, ...other.derivatives].map(Math.abs), usual, 1e-30);
    const isClose = (a: number, b: number, size: number) => Math.abs(a - b) <= rounding * size;
    return (
      isClose(one.loss, other.loss, Math.max(Math.abs(one.loss), Math.abs(other.loss), 1e-6)) &&
      one.derivatives.every((value, index) => isClose(value, other.derivatives[index] as number, scale))
    );
  };
}
