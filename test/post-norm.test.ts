/** The residual stream of layers that normalize their sums, as BERT's do (`test/cases/post-norm`), against PyTorch in float64. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { blocks } from "../src/estimate/sites/blocks.ts";
import { residual } from "../src/guess/residual.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { int64 } from "../src/onnx/tensor.ts";
import { fold, keyFromSeed } from "../src/random/threefry.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { loadModel } from "../src/storage/node-model.ts";
import { createEstimator } from "../src/train/settings/estimator.ts";
import { relativeError } from "./relative-error.ts";

const folder = new URL("cases/post-norm/", import.meta.url);
const known = JSON.parse(readFileSync(new URL("stream.golden.json", folder), "utf8")) as {
  readonly tokens: number[];
  readonly labels: number[];
  readonly loss: number;
  /** Of the parameters of one axis. */
  readonly gradients: Readonly<Record<string, number[]>>;
};
const runtime = nodeRuntime({ threads: 1 });
const batch = known.labels.length;

const open = () =>
  compileObjective({
    ...{ model: loadModel(new URL("encoder.onnx", folder).pathname), loss: crossEntropy(), runtime, batch },
  });
const feeds = {
  input_ids: int64(known.tokens, [batch, known.tokens.length / batch]),
  labels: int64(known.labels, [batch]),
};

describe("a stream through normalizations", () => {
  it.each([false, true])("hands on what PyTorch's does, layer by layer: %s", async (lowMemory) => {
    const objective = await open();
    const perturb = blocks({ guess: residual() });
    const estimator = await createEstimator(objective, { perturb, lowMemory });
    const { loss, gradients } = await estimator.estimate(
      { ...objective.parameters, ...feeds },
      keyFromSeed(1),
    );
    expect(loss).toBeCloseTo(known.loss, 5);
    const names = Object.keys(known.gradients).filter((name) => name in gradients);
    expect(names.length).toBe(Object.keys(known.gradients).length);
    const [own, expected] = [gradients, known.gradients].map((from) =>
      names.flatMap((name) => [...(from[name] as ArrayLike<number> & Iterable<number>)]),
    ) as [number[], number[]];
    expect(relativeError(own, expected)).toBeLessThan(1e-5);
    await estimator.release();
  });

  it("is corrected without bias by tangents", async () => {
    const objective = await open();
    const all = { ...objective.parameters, ...feeds };
    const exact = await createEstimator(objective, { gradient: "exact" });
    const { gradients: expected } = await exact.estimate(all, keyFromSeed(0));
    const estimator = await createEstimator(objective, {
      ...{ perturb: blocks({ guess: residual({ gamma: 1 }) }), tangents: 64 },
    });
    const draws = 60;
    const names = Object.keys(expected);
    const flat = (from: Readonly<Record<string, ArrayLike<number>>>) =>
      names.flatMap((name) => Array.from(from[name] as ArrayLike<number>));
    const exactNumbers = flat(expected);
    const sum = new Float64Array(exactNumbers.length);
    const squares = new Float64Array(sum.length);
    for (let draw = 0; draw < draws; draw++) {
      const { gradients } = await estimator.estimate(all, fold(keyFromSeed(3), draw));
      for (const [index, value] of flat(gradients).entries()) {
        sum[index] = (sum[index] as number) + value;
        squares[index] = (squares[index] as number) + value * value;
      }
    }
    // χ² of means by their own standard errors, over numbers that vary: about one each, and no bias of a tenth of their spread.
    const scores = exactNumbers.flatMap((exactly, index) => {
      const mean = (sum[index] as number) / draws;
      const variance = (squares[index] as number) / draws - mean ** 2;
      return variance > 1e-12 ? [(mean - exactly) ** 2 / (variance / (draws - 1))] : [];
    });
    const average = scores.reduce((total, score) => total + score, 0) / scores.length;
    expect(scores.length).toBeGreaterThan(1000);
    expect(average).toBeLessThan(1.5);
    await Promise.all([estimator.release(), exact.release()]);
  });
});
