import { ModelError } from "../errors/errors.ts";
import { type Binding, bindInputs } from "../onnx/bind.ts";
import { formatShape } from "../onnx/graph.ts";
import type { Model } from "../onnx/read-model.ts";
import { bytesPerElement, elementCount } from "../onnx/tensor.ts";
import { furtherOps } from "../ops/further-ops.ts";
import { type InferredTypes, inferTypes } from "../ops/infer.ts";
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
  const inferred = inferTypes(model, bindInputs(model, options), await furtherOps(model.nodes, model.opset));
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

/** What the largest value of a batch may take where nobody said how many examples a batch has: 32 MiB; a few of them are alive at once. */
const largestValue = 2 ** 25;

/**
 * How many examples a model is asked about at once, where it leaves that open: its values grow with the batch, and nothing is
 * gained by more than the machine's caches hold.
 *
 * @param atMost examples
 * @returns from 1 to `atMost`, so that no value takes more than 32 MiB, as far as the shape rules tell without a run
 */
export async function batchThatFits(
  model: Model,
  options: Omit<Binding, "batch"> & { readonly atMost: number },
): Promise<number> {
  const further = await furtherOps(model.nodes, model.opset);
  const sizes = (batch: number) =>
    [...inferTypes(model, bindInputs(model, { ...options, batch }), further).values.values()].map(
      ({ name, dtype, shape }) => [name, elementCount(shape) * bytesPerElement(dtype)] as const,
    );
  const ofOne = new Map(sizes(1));
  // Of all values by what one more example adds to them: parameters and the like add nothing.
  const growth = sizes(2).reduce(
    (most, [name, bytes]) => Math.max(most, bytes - (ofOne.get(name) ?? bytes)),
    0,
  );
  // Even where memory decides, so that pairs stay whole.
  return Math.max(1, Math.min(options.atMost, 2 * Math.floor(largestValue / growth / 2)));
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
