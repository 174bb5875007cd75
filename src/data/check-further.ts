/** The checks of examples' further inputs by themselves. */
import { isArrayOf } from "../arrays/kind.ts";
import { DataError } from "../errors/errors.ts";
import type { FurtherInputs } from "./further-inputs.ts";

/**
 * Checks that further inputs hold as many numbers as the examples need.
 *
 * @param name the data's, for messages
 * @throws DataError that names the input and what it should hold
 */
export function checkFurther(further: FurtherInputs, count: number, name: string): void {
  for (const [input, { shape, values }] of Object.entries(further)) {
    const expected = shape.reduce((product, size) => product * size, count);
    if (values.length !== expected || !shape.every((size) => Number.isInteger(size) && size >= 1)) {
      throw new DataError(
        `${name}: '${input}' holds ${values.length} numbers, expected ${expected} (${count} examples of shape ` +
          `[${shape.join(", ")}]); give it one part for each example, in their order`,
        { source: name },
      );
    }
    const wrong = isArrayOf("Float32Array", values) ? values.findIndex((each) => !Number.isFinite(each)) : -1;
    if (wrong === -1) continue;
    throw new DataError(
      `${name}: example ${Math.floor((wrong * count) / values.length)} has ${values[wrong]} in '${input}', expected finite ` +
        "numbers; remove the example or fill in the value",
      { source: name },
    );
  }
}
