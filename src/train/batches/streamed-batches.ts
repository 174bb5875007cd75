/** The batches of a stream: examples are drawn from those in memory, and the next ones of the stream take their places. */
import type { Examples } from "../../data/dataset.ts";
import { ExampleRows } from "../../data/example-rows.ts";
import { DataError } from "../../errors/errors.ts";
import { option as mention, words } from "../../errors/words.ts";
import { fold, type Key } from "../../random/threefry.ts";
import { uniform64 } from "../../random/uniform.ts";
import type { StreamPosition } from "./batch-reading.ts";
import { type OpenStream, sumAfter } from "./open-stream.ts";

/** The examples of steps, which follow from the stream and the key alone. */
export interface StreamedBatches {
  /** Those of the step that was read last, in a row. */
  readonly batch: Examples;
  /**
   * Reads the examples of a step: the next one goes on in the pass, any other begins it anew and passes over what is before.
   *
   * @param before what had been read before that step, where the run knows it
   * @throws DataError where the stream is another than it was then, or ends early
   */
  read(step: number, before?: StreamPosition): Promise<StreamPosition>;
  /** Puts the first examples of the first pass into the row: those of the first step where nothing is shuffled. */
  begin(): void;
  /** Ends the pass that is read. */
  release(): Promise<void>;
}

/** How a stream becomes batches. */
export interface StreamedOptions {
  /** Examples of a step. */
  readonly size: number;
  /** The rest of a pass is left out. */
  readonly stepsPerPass: number;
  readonly key: Key;
  /** Throws for labels that do not fit. */
  check(batch: Examples): void;
}

export function streamedBatches(
  { first, buffer, pass: open }: OpenStream,
  { size, stepsPerPass, key, check }: StreamedOptions,
): StreamedBatches {
  const held = new ExampleRows(first, buffer);
  const batch = new ExampleRows(first, size);
  let examples: AsyncGenerator<Examples, void> | undefined;
  let position: StreamPosition = { pass: -1, read: 0, sum: 0 };
  let [filled, drawn] = [0, 0];
  const next = async (row: number): Promise<boolean> => {
    const found = await examples?.next();
    if (!found || found.done) return false;
    held.write(row, found.value);
    position = { ...position, read: position.read + 1, sum: sumAfter(found.value, position.sum) };
    return true;
  };
  const begin = async (pass: number) => {
    await examples?.return();
    examples = open(pass);
    position = { pass, read: 0, sum: 0 };
    drawn = 0;
    for (filled = 0; filled < buffer && (await next(filled)); filled++);
  };
  /** A place takes the next example, or the last one of those that are left. */
  const draw = async () => {
    const draws = uniform64(fold(fold(key, position.pass), drawn++), size);
    for (const [row, unit] of draws.entries()) {
      const chosen = Math.floor(unit * filled);
      batch.write(row, held.examples, chosen);
      if (await next(chosen)) continue;
      filled--;
      if (chosen < filled) held.write(chosen, held.examples, filled);
    }
  };
  return {
    batch: batch.examples,
    async read(step, before) {
      const pass = Math.floor(step / stepsPerPass);
      const start = step % stepsPerPass;
      if (pass !== position.pass || drawn > start) {
        await begin(pass);
        while (drawn < start) await draw();
        if (before?.pass === pass && (before.read !== position.read || before.sum !== position.sum))
          throw otherStream(before, position);
      }
      await draw();
      check(batch.examples);
      return position;
    },
    begin() {
      for (let row = 0; row < size; row++) batch.write(row, first, row % buffer);
    },
    async release() {
      await examples?.return();
    },
  };
}

function otherStream(before: StreamPosition, { read }: StreamPosition): DataError {
  const count = (value: number) => value.toLocaleString("en");
  return new DataError(
    words`The first ${count(read)} examples of pass ${before.pass} are others than the ${count(before.read)} that the run read of it before it
      stopped, and it would not end as it would have; give the same stream in the same order (${mention("examples.stream")}), or start the run anew.`,
  );
}
