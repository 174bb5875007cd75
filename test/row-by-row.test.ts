/** Which tables of texts the command line reads row by row without being asked for. */
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { isLarge } from "../src/cli/flags/datasets.ts";

it("reads files above a bound row by row, and others at once", () => {
  const reviews = fileURLToPath(new URL("cases/texts/reviews.csv", import.meta.url));
  const { size } = statSync(reviews);
  expect(isLarge(reviews)).toBe(false);
  expect([isLarge(reviews, size), isLarge(reviews, size - 1)]).toEqual([false, true]);
  expect(isLarge(`${reviews}.missing`, 0)).toBe(false);
});
