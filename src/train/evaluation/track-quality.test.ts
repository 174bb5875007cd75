/** Measuring a step's quality leaves the step as it was. */
import { describe, expect, it } from "vitest";
import { aggregators } from "../../aggregate/aggregators.ts";
import { weightsEstimator } from "../../estimate/estimators.ts";
import { NotFiniteError } from "../../linalg/cholesky.ts";
import { crossEntropy } from "../../losses/cross-entropy.ts";
import { mlp } from "../../models/mlp.ts";
import { compileObjective } from "../../objective/compile-objective.ts";
import { int64, zeros } from "../../onnx/tensor.ts";
import { fold, keyFromSeed } from "../../random/threefry.ts";
import { nodeRuntime } from "../../runtime/node.ts";
import { QualityTracker } from "./track-quality.ts";

const key = keyFromSeed(1);

async function step() {
  const model = mlp({ input: [4], hidden: [3], outputs: 3, batch: 2 });
  const runtime = nodeRuntime({ threads: 1 });
  const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch: 2 });
  const feeds = { ...objective.parameters, input: zeros("float32", [2, 4]), labels: int64([0, 2]) };
  const estimator = await weightsEstimator(objective, { tangents: 2, aggregator: aggregators.mean() });
  return { objective, feeds, estimator, estimate: await estimator.estimate(feeds, key) };
}

describe("a step whose quality is tracked", () => {
  it("has its gradients and statistics as they were, though other draws are written there", async () => {
    const { objective, feeds, estimator, estimate } = await step();
    const running = Float32Array.of(1, 2);
    const counting = {
      ...estimator,
      async estimate(...given: Parameters<typeof estimator.estimate>) {
        const drawn = await estimator.estimate(...given);
        running.fill(0);
        return drawn;
      },
    };
    const before = structuredClone(estimate.gradients);
    const tracker = new QualityTracker(objective, counting, 3);
    const tracked = { ...estimate, statistics: { running } };
    const quality = await tracker.ofStep({ feeds, key: fold(key, 1), estimate: tracked, before: {} });
    expect(quality.variance).toBeGreaterThan(0);
    expect(quality.varianceError).toBeGreaterThan(0);
    expect(estimate.gradients).toEqual(before);
    expect(running).toEqual(Float32Array.of(1, 2));
    await Promise.all([tracker.release(), estimator.release()]);
  });

  it("has a cosine alone where another draw overflows; other errors end the run", async () => {
    const { objective, feeds, estimator, estimate } = await step();
    const failing = (error: Error) => ({ ...estimator, estimate: () => Promise.reject(error) });
    const trackers = [new NotFiniteError("a derivative overflows"), new TypeError("broken")].map(
      (error) => new QualityTracker(objective, failing(error), 3),
    );
    const [overflowing, broken] = trackers.map((tracker) =>
      tracker.ofStep({ feeds, key, estimate, before: {} }),
    );
    await expect(broken).rejects.toThrow("broken");
    const quality = await overflowing;
    expect(quality?.cosine).toBeGreaterThan(0);
    expect(quality?.biasSquared).toBeUndefined();
    await Promise.all([...trackers, estimator].map((one) => one.release()));
  });
});
