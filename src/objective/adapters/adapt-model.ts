/** Low-rank adapters: small trained matrices beside stored ones, which stay as they are. */
import { matrixView } from "../../ad/derivatives.ts";
import { ModelError, SettingError } from "../../errors/errors.ts";
import { option, type Words, words } from "../../errors/words.ts";
import { insertIntoModel } from "../../onnx/edit.ts";
import { type Node, producers } from "../../onnx/graph.ts";
import type { Model } from "../../onnx/read-model.ts";
import { elementCount, float32, int64, type Tensor, zeros } from "../../onnx/tensor.ts";
import { streamKey } from "../../random/streams.ts";
import { fold, type Key } from "../../random/threefry.ts";
import { fillUniform } from "../../random/uniform.ts";
import { type DefaultTargets, defaultTargets } from "./default-targets.ts";
import { type StoredMatrix, storedMatrices } from "./stored-matrices.ts";

/** Which matrices get low-rank adapters, and of which size. */
export interface AdapterOptions {
  /** r: columns of B and rows of A. */
  readonly rank: number;
  /**
   * Which stored matrices are adapted, by name; where that is a number of an exporter (`onnx::MatMul_305`), the name of the node
   * that reads it counts as well. Convolution kernels count as [out, in·kernel]. Default: the projections to queries and
   * values of attention; in models without attention all that layers multiply by.
   */
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
  /** Which matrices they stand beside, in a sentence. */
  readonly note: Words;
  /** New values of the base model's matrices, with trained adapters merged into them; absent where those are quantized. */
  readonly merge?: (trained: Readonly<Record<string, Tensor>>) => Map<string, Tensor>;
}

/**
 * Low-rank adapters (Hu et al., "LoRA", arXiv 2106.09685): W is read as W + (alpha/rank)·B·A with B [rows, rank] zero at
 * first and A [rank, columns] uniform in ±1/√columns; only A and B are trained. A quantized W stays as it is: behind
 * MatMulNBits and MatMulInteger, x Aᵀ Bᵀ is added to the result, and behind DequantizeLinear B·A to the matrix.
 *
 * @throws when no stored matrix is chosen, or the rank exceeds a chosen matrix's smaller side
 */
export function adaptModel(model: Model, options: AdapterOptions): AdaptedModel {
  const { rank, target, alpha = options.rank, seed = 0 } = options;
  const matrices = storedMatrices(model);
  const found = target ? undefined : defaultTargets(model, matrices);
  const chosen = matrices.filter(({ name, readBy }) =>
    found ? found.names.has(name) : target?.(name) || (readBy !== undefined && target?.(readBy)),
  );
  if (chosen.length === 0) throw nothingChosen(model, matrices);
  const scale = alpha / rank;
  const key = streamKey(seed, "adapters");
  const initializers = new Map<string, Tensor>();
  const nodes: Node[] = [];
  const replaced = new Map<string, string>();
  const behind = new Map<string, { readonly renamed: string; readonly nodes: readonly Node[] }>();
  for (const [index, { name, shape, quantized }] of chosen.entries()) {
    const [rows, columns] = matrixView(shape);
    if (!Number.isInteger(rank) || rank < 1 || rank > Math.min(rows, columns)) {
      throw new SettingError(
        words`${model.source}: the rank of an adapter of '${name}' [${shape.join(", ")}] must be a whole number
          from 1 to ${Math.min(rows, columns)}, received ${rank}; lower it (${option("adapter.rank")}), or leave that
          matrix out (${option("adapter.target")}).`,
        { option: "adapter.rank" },
      );
    }
    initializers.set(`${name}.lora_A`, uniform([rank, columns], fold(key, index), 1 / Math.sqrt(columns)));
    initializers.set(`${name}.lora_B`, zeros("float32", [rows, rank]));
    if (quantized.length === 0) {
      const product = adapterNodes(name, shape, scale, name, `${name}/adapted`);
      for (const [constant, tensor] of product.constants) initializers.set(constant, tensor);
      nodes.push(...product.nodes);
      replaced.set(name, `${name}/adapted`);
    }
    for (const { output, reads } of quantized) {
      const renamed = `${output}/frozen`;
      const product =
        reads === undefined
          ? adapterNodes(name, shape, scale, renamed, output)
          : productNodes(name, reads, scale, renamed, output);
      for (const [constant, tensor] of product.constants) initializers.set(constant, tensor);
      behind.set(output, { renamed, nodes: product.nodes });
    }
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
  const merge: AdaptedModel["merge"] = (trained) =>
    new Map(
      chosen.map(({ name }) => {
        const weight = model.initializers.get(name) as Tensor;
        return [name, merged(name, weight, trained, rank, scale)];
      }),
    );
  return {
    model: insertIntoModel(model, { initializers, nodes, replaced, behind }),
    parameters: chosen.flatMap(({ name }) => [`${name}.lora_A`, `${name}.lora_B`]),
    note: described(rank, chosen, found),
    // Few bits have no room for what an adapter adds.
    ...(chosen.every(({ quantized }) => quantized.length === 0) && { merge }),
  };
}

/** What there is to choose from. */
function nothingChosen({ source }: Model, matrices: readonly StoredMatrix[]): SettingError {
  const there = matrices.map(shown).join(", ");
  return new SettingError(
    there === ""
      ? words`${source} has no stored matrix that adapters could stand beside: none in float32 with 2 axes or more, and none in
          MatMulNBits, DequantizeLinear or a MatMulInteger of dynamic quantization. Leave ${option("adapter")} out, or export the
          model in one of these forms.`
      : words`${source}: no stored float32 or quantized matrix is chosen for adapters (${option("adapter.target")});
          there are ${there}.`,
    { option: "adapter.target" },
  );
}

/** "'onnx::MatMul_305' (read by '/layers.0/query/MatMul')" */
function shown({ name, readBy }: StoredMatrix): string {
  return readBy === undefined || readBy === name ? `'${name}'` : `'${name}' (read by '${readBy}')`;
}

/** How many names a note lists. */
const listed = 4;

function described(rank: number, chosen: readonly StoredMatrix[], found: DefaultTargets | undefined): Words {
  const names = chosen.slice(0, listed).map(({ name, readBy }) => `'${readBy ?? name}'`);
  const more = chosen.length > listed ? `, … ${chosen.length - listed} more` : "";
  const which = found
    ? words`${found.what}. ${option("adapter.target")} chooses others by name`
    : words`as chosen`;
  return words`Adapters of rank ${rank} stand beside ${chosen.length} ${chosen.length === 1 ? "matrix" : "matrices"}, ${which}:
    ${names.join(", ")}${more}.`;
}

/** x Aᵀ Bᵀ, scaled, added to the product with the stored matrix. */
function productNodes(
  name: string,
  x: string,
  scale: number,
  base: string,
  result: string,
): { readonly nodes: Node[]; readonly constants: Map<string, Tensor> } {
  const { nodes, constants, add } = nodeList();
  const down = add("Transpose", [`${name}.lora_A`], `${result}/lora/A`);
  const up = add("Transpose", [`${name}.lora_B`], `${result}/lora/B`);
  const inner = add("MatMul", [x, down], `${result}/lora/inner`);
  const product = add("MatMul", [inner, up], `${result}/lora`);
  const sum = [base, scaled(name, product, scale, constants, add, result)];
  // The node before may be called like its result.
  add("Add", sum, result, `${result}.lora.sum`);
  return { nodes, constants };
}

const pathless = (_: string, part?: string) => (part === undefined ? ".lora" : `.lora.${part}`);

type AddNode = (op: string, inputs: readonly string[], output: string, name?: string) => string;

function nodeList() {
  const nodes: Node[] = [];
  // A node's path says which block it belongs to, so what stands beside one adds no module to it.
  const add: AddNode = (op, inputs, output, name = output.replace(/\/lora(?:\/(\w+))?$/, pathless)) => {
    nodes.push({ name, op, domain: "", inputs, outputs: [output], attributes: {} });
    return output;
  };
  return { nodes, constants: new Map<string, Tensor>(), add };
}

function scaled(
  name: string,
  value: string,
  scale: number,
  constants: Map<string, Tensor>,
  add: AddNode,
  path: string,
): string {
  if (scale === 1) return value;
  constants.set(`${name}/lora/scale`, float32([scale], []));
  return add("Mul", [value, `${name}/lora/scale`], `${path}/lora/scaled`);
}

/** (alpha/rank)·B·A in the matrix's own shape, added to it. */
function adapterNodes(
  name: string,
  shape: readonly number[],
  scale: number,
  base: string,
  result: string,
): { readonly nodes: Node[]; readonly constants: Map<string, Tensor> } {
  const { nodes, constants, add } = nodeList();
  const path = base === name ? name : result;
  const product = add("MatMul", [`${name}.lora_B`, `${name}.lora_A`], `${path}/lora`);
  let value = scaled(name, product, scale, constants, add, path);
  if (shape.length > 2) {
    constants.set(`${name}/lora/shape`, int64(shape));
    value = add("Reshape", [value, `${name}/lora/shape`], `${path}/lora/shaped`);
  }
  add("Add", [base, value], result, base === name ? result : `${result}.lora.sum`);
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

/** A tensor of numbers that are uniform in ±bound. */
export function uniform(shape: readonly number[], key: Key, bound: number): Tensor {
  const data = new Float32Array(elementCount(shape));
  fillUniform(key, 0, data);
  for (let index = 0; index < data.length; index++) data[index] = (2 * (data[index] as number) - 1) * bound;
  return float32(data, shape);
}
