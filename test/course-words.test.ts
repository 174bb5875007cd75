/** What a run says of its end: why it came early, and which of its parameters it kept. */
import { describe, expect, it } from "vitest";
import { courseWords } from "../src/reports/course-words.ts";

describe("the end of a run", () => {
  it("says that it came early, for want of which metric, and whose parameters were kept", () => {
    const config = { steps: 1200, patience: { epochs: 3, on: "macroF1" } };
    expect(courseWords({ steps: 1000, epochs: 10, bestStep: 700 }, config)).toEqual([
      "Stopped early, after 1,000 of 1,200 steps: no better validation macro F1 for 3 epochs.",
      "Kept: the parameters of step 700, of epoch 7, which had the best validation macro F1.",
    ]);
    expect(courseWords({ steps: 20, epochs: 2, bestStep: 11 }, { steps: 40, patience: 1 })).toEqual([
      "Stopped early, after 20 of 40 steps: no better validation loss for 1 epoch.",
      "Kept: the parameters of step 11, of epoch 2, which had the best validation loss.",
    ]);
  });

  it("is nothing to speak of where it was the last step, and no early one where the minutes were over", () => {
    expect(courseWords({ steps: 40, epochs: 4 }, { steps: 40, patience: 2 })).toEqual([]);
    expect(courseWords({ steps: 30, epochs: 3, outOfTime: true }, { steps: 40, patience: 2 })).toEqual([]);
    expect(courseWords({ steps: 30, epochs: 3 }, { steps: 40, patience: null })).toEqual([]);
  });
});
