/** A classifier that is small enough to estimate its gradient thousands of times. */
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { mlp } from "../src/models/mlp.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import type { Objective } from "../src/objective/objective.ts";
import { float32, int64 } from "../src/onnx/tensor.ts";
import type { Runtime, Tensors } from "../src/runtime/runtime.ts";

/** Three examples of 4 numbers, 8 hidden ones with ReLUs, three classes: 67 weights. */
export async function smallClassifier(
  runtime: Runtime,
): Promise<{ readonly objective: Objective; readonly feeds: Tensors }> {
  const batch = 3;
  const model = mlp({ input: [4], hidden: [8], outputs: 3, batch });
  const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch });
  const input = float32(
    Array.from({ length: batch * 4 }, (_, index) => Math.sin(index)),
    [batch, 4],
  );
  return { objective, feeds: { ...objective.parameters, input, labels: int64([0, 2, 1]) } };
}
