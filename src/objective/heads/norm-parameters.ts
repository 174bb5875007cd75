/** The scales and biases of a model's normalizations. */
import type { Model } from "../../onnx/read-model.ts";

/** Names of the scales and biases of normalizations: read by one, or called like one where its op was written out. */
export function normParameters({ initializers, nodes }: Model): string[] {
  const read = nodes.flatMap(({ op, inputs }) =>
    /(Normalization|GroupNorm)$/.test(op) ? inputs.slice(1, op === "BatchNormalization" ? 3 : undefined) : [],
  );
  return [...initializers].flatMap(([name, { dtype, shape }]) => {
    const isNorm = read.includes(name) || /(norm|\bln_?\d*\b|\bbn_?\d*\b)/i.test(name);
    return dtype === "float32" && shape.length === 1 && isNorm ? [name] : [];
  });
}
