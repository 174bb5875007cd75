import { describe, expect, it } from "vitest";
import { describeQuality } from "./quality-words.ts";

describe("describeQuality", () => {
  it.each([
    [
      { cosine: 0.7704, biasSquared: -0.0021, biasSquaredError: 0.011, variance: 1.312, varianceError: 0.04 },
      "bias² 0.00 ± 0.01, variance 1.3, cosine 0.770",
    ],
    [
      { cosine: 0.005, biasSquared: -310, biasSquaredError: 1420, variance: 41_234 },
      "bias² -310 ± 1,420, variance 41,000, cosine 0.005",
    ],
    [
      { cosine: 0.9991, biasSquared: 0.00012, biasSquaredError: 0.00034, variance: 0.0018 },
      "bias² 0.0001 ± 0.0003, variance 0.0018, cosine 0.999",
    ],
    [
      { cosine: 1, biasSquared: 1e-13, biasSquaredError: 2e-12, variance: 3e-10 },
      "bias² 0.0000 ± 0.0000, variance 0.0000, cosine 1.000",
    ],
    [{ cosine: 0.4, biasSquared: 0.2503, variance: 5 }, "bias² 0.25, variance 5, cosine 0.400"],
    [
      { cosine: 1, biasSquared: 0, biasSquaredError: 0, variance: 0 },
      "bias² 0.00 ± 0.00, variance 0, cosine 1.000",
    ],
    [{ cosine: -0.0341 }, "cosine -0.034"],
  ])("%o", (quality, words) => {
    expect(describeQuality(quality)).toBe(words);
  });
});
