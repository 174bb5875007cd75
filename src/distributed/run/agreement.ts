/** Whether two computers say the same of a granule, to rounding. */
import type { Measured } from "../weights/granule.ts";

/** How far derivatives of two computers may differ, as a share of what derivatives of the run are: other engines round differently. */
const rounding = 1e-3;

/** So many derivatives tell how large those of the run are now. */
const remembered = 64;

export function areNumbers({ derivatives, loss }: Measured): boolean {
  return Number.isFinite(loss) && derivatives.every((value) => Number.isFinite(value));
}

/**
 * Compares answers. A derivative near 0 is the difference of large numbers, whose rounding is as large as it would be elsewhere: so it is
 * held to the median of those that came last, which few liars cannot move.
 */
export class Agreement {
  #sizes: number[] = [];

  /** Takes note of an answer. */
  note({ derivatives }: Measured): void {
    const sizes = [...derivatives].filter(Number.isFinite).map(Math.abs);
    this.#sizes = [...this.#sizes, ...sizes].slice(-remembered);
  }

  /** Whether they say the same. */
  of(one: Measured, other: Measured): boolean {
    const usual = [...this.#sizes].sort((a, b) => a - b)[this.#sizes.length >> 1] ?? 0;
    const scale = Math.max(...[...one.derivatives, ...other.derivatives].map(Math.abs), usual, 1e-30);
    const isClose = (a: number, b: number, size: number) => Math.abs(a - b) <= rounding * size;
    return (
      isClose(one.loss, other.loss, Math.max(Math.abs(one.loss), Math.abs(other.loss), 1e-6)) &&
      one.derivatives.every((value, index) => isClose(value, other.derivatives[index] as number, scale))
    );
  }
}
