/** What feedback reads where outputs are many. Loaded where they are, or where it is asked for. */
import type { GuessSignal, ReducedSignal, SignalSizes } from "./guess.ts";

/** What feedback was asked for. */
interface ReductionChoice {
  readonly signal?: "logits" | "last input";
  readonly reduce?: "nothing" | "positions" | "sketch";
  readonly sketch?: number;
}

/** A sketch of fewer numbers foresees next to nothing of many, and is not worth its steps. */
const leastSketch = 16;

/**
 * The signal with fewer numbers: one for each position where there are any in common, or else a sketch.
 *
 * @param whole the signal that is read where a sketch is not worth its steps
 */
export async function reducedSignal(
  { logits, lastInput, positions, sites, parameters }: SignalSizes,
  chosen: ReductionChoice,
  whole: GuessSignal,
): Promise<GuessSignal | ReducedSignal> {
  const reduce = chosen.reduce ?? (chosen.sketch === undefined ? undefined : "sketch");
  const shared = reduce === "sketch" ? 1 : await positions();
  if (reduce === "positions" || shared > 1) return { signal: "last input", by: { positions: shared } };
  const signal = chosen.signal ?? (lastInput === undefined ? "logits" : "last input");
  const outputs = signal === "logits" ? logits : (lastInput ?? logits);
  // The last block's input needs no matrix itself.
  const guessed = signal === "logits" ? sites : sites - outputs;
  const sketch = chosen.sketch ?? Math.floor(parameters / Math.max(1, guessed));
  if (!reduce && sketch < leastSketch) return whole;
  // So many numbers enter each sum.
  const each = Math.ceil(outputs / Math.max(1, Math.min(sketch, outputs)));
  return { signal, by: { sketch: Math.ceil(outputs / each) } };
}
