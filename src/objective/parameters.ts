/** Parameters as arrays, copied, counted and written back. */
import type { Tensor } from "../onnx/tensor.ts";
import type { Arrays } from "../optim/optimizer.ts";

type Tensors = Readonly<Record<string, Tensor>>;

/** The numbers of float32 tensors, by name; no copies. */
export function arraysOf(tensors: Tensors): Arrays {
  return Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, data as Float32Array]));
}

/** Copies of tensors, whose numbers stay when the originals change. */
export function copyTensors(tensors: Tensors): Tensors {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => [name, { ...tensor, data: tensor.data.slice() }]),
  );
}

/** Overwrites the numbers of parameters by those of the same name. */
export function setParameters(parameters: Arrays, values: Tensors): void {
  for (const [name, { data }] of Object.entries(values)) parameters[name]?.set(data as Float32Array);
}

/** Names and shapes of parameters, in their order, as tangents are made for. */
export function parameterShapes(
  parameters: Tensors,
): readonly { readonly name: string; readonly shape: readonly number[] }[] {
  return Object.entries(parameters).map(([name, { shape }]) => ({ name, shape }));
}

/** n */
export function countParameters(parameters: Tensors): number {
  return Object.values(parameters).reduce((total, { data }) => total + data.length, 0);
}
