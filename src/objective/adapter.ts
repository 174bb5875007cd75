/** Low-rank adapters: small trained matrices beside stored ones, which stay as they are. */
import { matrixView } from "../ad/derivatives.ts";
import { ModelError, SettingError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import { insertIntoModel } from "../onnx/edit.ts";
import { type Node, producers } from "../onnx/graph.ts";
import type { Model } from "../onnx/read-model.ts";
import { float32, int64, type Tensor, zeros } from "../onnx/tensor.ts";
import { streamKey } from "../random/streams.ts";
import { fold } from "../random/threefry.ts";
import { fillUniform } from "../random/uniform.ts";

/** Which matrices get low-rank adapters, and of which size. */
export interface AdapterOptions {
  /** r: columns of B and rows of A. */
  readonly rank: number;
  /** Which stored matrices are adapted; convolution kernels count as [out, in·kernel]. Default: all that nodes read. */
  readonly target?: (name: string) => boolean;
  /** The product is scaled by alpha / rank. Default: rank, so by 1. */
  readonly alpha?: number;
  /** Decides their initial numbers. Default 0. */
  readonly seed?: number;
}

/** A model with low-rank adapters in it. */
export interface AdaptedModel {
  /** The model whose nodes read W + (alpha/rank)·B·A wherever they read an adapted W. */
  readonly model: Model;
  /** Names of A and B of every adapted matrix: what is trained. */
  readonly parameters: readonly string[];
  /** New values of the base model's matrices, with trained adapters merged into them. */
  merge(trained: Readonly<Record<string, Tensor>>): Map<string, Tensor>;
}

/**
 * Low-rank adapters (Hu et al., "LoRA", arXiv 2106.09685): W is read as W + (alpha/rank)·B·A with B [rows, rank] zero at
 * first and A [rank, columns] uniform in ±1/√columns; only A and B are trained.
 *
 * @throws when no stored float matrix is chosen, or the rank exceeds a chosen matrix's smaller side
 */
export function adaptModel(model: Model, options: AdapterOptions): AdaptedModel {
  const { rank, target = () => true, alpha = options.rank, seed = 0 } = options;
  const read = new Set(model.nodes.flatMap((node) => node.inputs));
  const candidates = [...model.initializers].filter(
    ([name, { dtype, shape }]) => dtype === "float32" && shape.length >= 2 && read.has(name),
  );
  const chosen = candidates.filter(([name]) => target(name));
  if (chosen.length === 0) {
    throw new SettingError(
      words`${model.source}: no stored float32 matrix is chosen for adapters (${option("adapter.target")}); there are
        ${candidates.map(([name]) => `'${name}'`).join(", ") || "none"}.`,
      { option: "adapter.target" },
    );
  }
  const scale = alpha / rank;
  const key = streamKey(seed, "adapters");
  const initializers = new Map<string, Tensor>();
  const nodes: Node[] = [];
  const replaced = new Map<string, string>();
  for (const [index, [name, weight]] of chosen.entries()) {
    const [rows, columns] = matrixView(weight.shape);
    if (!Number.isInteger(rank) || rank < 1 || rank > Math.min(rows, columns)) {
      throw new SettingError(
        words`${model.source}: the rank of an adapter of '${name}' [${weight.shape.join(", ")}] must be a whole number
          from 1 to ${Math.min(rows, columns)}, received ${rank}; lower it (${option("adapter.rank")}), or leave that
          matrix out (${option("adapter.target")}).`,
        { option: "adapter.rank" },
      );
    }
    initializers.set(`${name}.lora_A`, uniform([rank, columns], fold(key, index)));
    initializers.set(`${name}.lora_B`, zeros("float32", [rows, rank]));
    const product = adapterNodes(name, weight.shape, scale);
    for (const [constant, tensor] of product.constants) initializers.set(constant, tensor);
    nodes.push(...product.nodes);
    replaced.set(name, `${name}/adapted`);
  }
  const taken = new Set([...model.initializers.keys(), ...producers(model).keys()]);
  const clash = [...initializers.keys(), ...nodes.flatMap((node) => node.outputs)].find((name) =>
    taken.has(name),
  );
  if (clash !== undefined) {
    throw new ModelError(
      words`${model.source} has adapters already ('${clash}'); train those ${option("trainable", "lora_")}, or adapt
        the merged model.`,
      { source: model.source },
    );
  }
  return {
    model: insertIntoModel(model, { initializers, nodes, replaced }),
    parameters: chosen.flatMap(([name]) => [`${name}.lora_A`, `${name}.lora_B`]),
    merge: (trained) =>
      new Map(chosen.map(([name, weight]) => [name, merged(name, weight, trained, rank, scale)])),
  };
}

/** (alpha/rank)·B·A in the matrix's own shape, added to it. */
function adapterNodes(
  name: string,
  shape: readonly number[],
  scale: number,
): { readonly nodes: Node[]; readonly constants: Map<string, Tensor> } {
  const nodes: Node[] = [];
  const constants = new Map<string, Tensor>();
  const add = (op: string, inputs: readonly string[], output: string) => {
    nodes.push({ name: output, op, domain: "", inputs, outputs: [output], attributes: {} });
    return output;
  };
  let value = add("MatMul", [`${name}.lora_B`, `${name}.lora_A`], `${name}/lora`);
  if (scale !== 1) {
    constants.set(`${name}/lora/scale`, float32([scale], []));
    value = add("Mul", [value, `${name}/lora/scale`], `${name}/lora/scaled`);
  }
  if (shape.length > 2) {
    constants.set(`${name}/lora/shape`, int64(shape));
    value = add("Reshape", [value, `${name}/lora/shape`], `${name}/lora/shaped`);
  }
  add("Add", [name, value], `${name}/adapted`);
  return { nodes, constants };
}

/** W + scale·B·A; sums run in float64. */
function merged(
  name: string,
  weight: Tensor,
  trained: Readonly<Record<string, Tensor>>,
  rank: number,
  scale: number,
): Tensor {
  const [a, b] = [trained[`${name}.lora_A`]?.data, trained[`${name}.lora_B`]?.data];
  if (!a || !b)
    throw new ModelError(`The adapter of '${name}' has no trained values; pass lora_A and lora_B.`);
  const [, columns] = matrixView(weight.shape);
  const data = Float32Array.from(weight.data as Float32Array, (value, index) => {
    const [row, column] = [Math.floor(index / columns), index % columns];
    let sum = 0;
    for (let inner = 0; inner < rank; inner++)
      sum += Number(b[row * rank + inner]) * Number(a[inner * columns + column]);
    return value + scale * sum;
  });
  return { ...weight, data };
}

function uniform(shape: readonly [number, number], key: ReturnType<typeof fold>): Tensor {
  const data = new Float32Array(shape[0] * shape[1]);
  fillUniform(key, 0, data);
  const bound = 1 / Math.sqrt(shape[1]);
  for (let index = 0; index < data.length; index++) data[index] = (2 * (data[index] as number) - 1) * bound;
  return float32(data, shape);
}
