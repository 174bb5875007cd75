import { type Binding, bindInputs } from "../onnx/bind.ts";
import type { Model } from "../onnx/decode.ts";
import { formatShape } from "../onnx/graph.ts";
import { bytesPerElement, elementCount } from "../onnx/tensor.ts";
import { inferTypes } from "../ops/infer.ts";
import type { Runtime } from "../runtime/runtime.ts";

/**
 * Follows the shape rules through a model, as far as they go without running it.
 *
 * @throws before anything is allocated, for a node that its rule refuses, a value that the model's limits do not allow, and
 * one that this machine's memory does not hold
 */
export function checkMemory(model: Model, options: Binding & { readonly runtime: Runtime }): void {
  const { values, excess, refusals } = inferTypes(model, bindInputs(model, options));
  for (const refusal of [...excess, ...refusals]) throw refusal;
  const { memory } = options.runtime;
  if (memory === undefined) return;
  for (const { name, dtype, shape } of values.values()) {
    const bytes = elementCount(shape) * bytesPerElement(dtype);
    if (bytes <= memory) continue;
    throw new Error(
      `${model.source}: the value '${name}' has the shape ${formatShape(shape)}, which takes ${gibibytes(bytes)}; this ` +
        `machine has ${gibibytes(memory)}. Use a smaller batch or smaller dimensions.`,
    );
  }
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
