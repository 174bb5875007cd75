import { ModelError } from "../errors/errors.ts";
import { type Binding, bindInputs } from "../onnx/bind.ts";
import { formatShape } from "../onnx/graph.ts";
import type { Model } from "../onnx/read-model.ts";
import { bytesPerElement, elementCount } from "../onnx/tensor.ts";
import { type InferredTypes, inferTypes } from "../ops/infer.ts";
import { furtherOps } from "../ops/runtime-domain/further-ops.ts";
import type { Runtime } from "../runtime/runtime.ts";

/**
 * Follows the shape rules through a model, as far as they go without running it.
 *
 * @returns what they tell
 * @throws before anything is allocated, for a value or a loop that the model's limits do not allow, and for a value that
 * this machine's memory does not hold
 */
export async function checkMemory(
  model: Model,
  options: Binding & { readonly runtime: Runtime },
): Promise<InferredTypes> {
  const inferred = inferTypes(model, bindInputs(model, options), await furtherOps(model.nodes));
  for (const excess of inferred.excess) throw excess;
  const { memory = Number.POSITIVE_INFINITY } = options.runtime;
  for (const { name, dtype, shape } of inferred.values.values()) {
    const bytes = elementCount(shape) * bytesPerElement(dtype);
    if (bytes <= memory) continue;
    throw new ModelError(
      `${model.source}: the value '${name}' has the shape ${formatShape(shape)}, which takes ${gibibytes(bytes)}; this ` +
        `machine has ${gibibytes(memory)}. Use a smaller batch or smaller dimensions.`,
      { source: model.source },
    );
  }
  return inferred;
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
