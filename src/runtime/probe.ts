import { clone, create, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema, ValueInfoProtoSchema } from "onnx-buf";
import { type Binding, bindInputs } from "../onnx/bind.ts";
import type { Model } from "../onnx/decode.ts";
import { describeNode, type Graph, type Node, prune, totalBytes, type Value } from "../onnx/graph.ts";
import { elementCount, isFloat, type Tensor, tensorOf, zeros } from "../onnx/tensor.ts";
import type { Runtime, Tensors } from "./runtime.ts";

export interface ProbeOptions extends Binding {
  /** A sample batch; default: small made-up numbers. */
  readonly feeds?: Tensors;
}

/**
 * Runs an imported model once with every intermediate value as an output, and reads off the types, the shapes, and
 * the values of everything that only shapes and constants decide (shape arithmetic in exported models). Those become
 * initializers, so the graph that comes back contains the computation alone.
 *
 * @throws when a dimension is open, when the model does not run, or when a shape depends on data.
 */
export async function probe(model: Model, runtime: Runtime, options: ProbeOptions = {}): Promise<Graph> {
  const inputs = bindInputs(model, options);
  checkMemory(model, inputs, runtime);
  const constantNames = shapeConstants(model);
  refuseCounts(model, constantNames);
  const computed = model.nodes.flatMap((node) => node.outputs.filter((name) => name !== ""));
  const first = await runAll(model, runtime, inputs, computed, options.feeds ?? {}, 0);
  const values = new Map<string, Value>();
  for (const input of inputs) values.set(input.name, input);
  for (const [name, { dtype, shape }] of model.initializers) values.set(name, { name, dtype, shape });
  for (const [name, { dtype, shape }] of Object.entries(first)) values.set(name, { name, dtype, shape });
  await checkDataDependence(model, runtime, inputs, values, options.feeds);

  const initializers = new Map(model.initializers);
  for (const name of constantNames) {
    const tensor = first[name];
    // Copied, because the runtime owns the memory it returns.
    if (tensor) initializers.set(name, { ...tensor, data: tensor.data.slice() });
  }
  const outputs = model.outputs.flatMap(({ name }) => values.get(name) ?? []);
  const graph: Graph = {
    name: model.name || "model",
    opset: model.opset,
    inputs,
    outputs,
    // Candidates: what the file itself stores as float data. Which of them are trained is decided later.
    parameters: [...model.initializers].filter(([, tensor]) => isFloat(tensor.dtype)).map(([name]) => name),
    nodes: model.nodes.filter(
      (node) => !node.outputs.every((name) => name === "" || constantNames.has(name)),
    ),
    initializers,
    values,
  };
  return prune(graph);
}

async function runAll(
  model: Model,
  runtime: Runtime,
  inputs: readonly Value[],
  fetches: readonly string[],
  feeds: Tensors,
  variant: number,
): Promise<Record<string, Tensor>> {
  const proto = clone(ModelProtoSchema, model.proto);
  if (!proto.graph) return {};
  for (const initializer of proto.graph.initializer) {
    const tensor = initializer.externalData.length > 0 ? model.initializers.get(initializer.name) : undefined;
    if (!tensor) continue;
    initializer.rawData = new Uint8Array(
      tensor.data.buffer as ArrayBuffer,
      tensor.data.byteOffset,
      tensor.data.byteLength,
    );
    initializer.externalData = [];
    initializer.dataLocation = 0;
  }
  const declared = new Set(proto.graph.output.map((output) => output.name));
  for (const name of fetches)
    if (!declared.has(name)) proto.graph.output.push(create(ValueInfoProtoSchema, { name }));
  let session: Awaited<ReturnType<Runtime["createSession"]>> | undefined;
  try {
    session = await runtime.createSession(toBinary(ModelProtoSchema, proto), {
      optimize: false,
      arena: false,
    });
    const samples = inputs.map((input) => [input.name, feeds[input.name] ?? sample(input, variant)] as const);
    return await session.run(Object.fromEntries(samples), fetches);
  } catch (cause) {
    throw new Error(
      `${model.source} does not run on ${runtime.name}: ${(cause as Error).message} ` +
        `(inputs ${inputs.map(({ name, dtype, shape }) => `'${name}' ${dtype} [${shape.join(", ")}]`).join(", ")}).`,
      { cause },
    );
  } finally {
    await session?.release();
  }
}

/** Numbers that every op accepts: small positive floats, zeros and ones for integers. */
function sample(input: Value, variant: number): Tensor {
  const { dtype, shape } = input;
  const count = elementCount(shape);
  if (!isFloat(dtype)) {
    return variant === 0
      ? zeros(dtype, shape)
      : tensorOf(
          dtype,
          Array.from({ length: count }, (_, index) => index % 2),
          shape,
        );
  }
  if (dtype === "float16" || dtype === "bfloat16") return zeros(dtype, shape);
  const numbers = Array.from(
    { length: count },
    (_, index) => 0.1 + 0.8 * (((index + 1) * (0.618 + 0.1 * variant)) % 1),
  );
  return tensorOf(dtype, numbers, shape);
}

/** Values decided by shapes and by Constant nodes alone. */
function shapeConstants(model: Model): Set<string> {
  const constant = new Set<string>();
  const isConstant = (name: string) => {
    if (name === "" || constant.has(name)) return true;
    const initializer = model.initializers.get(name);
    return initializer !== undefined && !isFloat(initializer.dtype);
  };
  for (const node of model.nodes) {
    const readsShapeOnly = node.op === "Shape" || node.op === "Size";
    if (isDeterministic(node) && (readsShapeOnly || node.inputs.every(isConstant)))
      for (const output of node.outputs) constant.add(output);
  }
  return constant;
}

function isDeterministic(node: Node): boolean {
  return !node.op.startsWith("Random") && node.op !== "Bernoulli" && node.op !== "Multinomial";
}

/** Refuses results with one element for each true or nonzero one of an input, unless that input is constant. */
function refuseCounts(model: Model, constantNames: ReadonlySet<string>): void {
  for (const node of model.nodes) {
    const counted =
      node.op === "NonZero" ? node.inputs[0] : node.op === "Compress" ? node.inputs[1] : undefined;
    if (counted === undefined || constantNames.has(counted) || model.initializers.has(counted)) continue;
    throw new Error(
      `${model.source}: ${describeNode(node)}: its shape depends on data ('${counted}'). Export the model with fixed ` +
        "shapes: torch.where with three arguments instead of masked selection.",
    );
  }
}

/** Runs again on other data and compares all shapes. */
async function checkDataDependence(
  model: Model,
  runtime: Runtime,
  inputs: readonly Value[],
  values: ReadonlyMap<string, Value>,
  feeds: Tensors | undefined,
): Promise<void> {
  const suspects = model.nodes.filter((node) => dataDependentOps.has(node.op));
  if (suspects.length === 0) return;
  const names = model.nodes.flatMap((node) => node.outputs.filter((name) => name !== ""));
  const second = await runAll(model, runtime, inputs, names, {}, 1);
  for (const node of model.nodes) {
    for (const name of node.outputs) {
      const [before, after] = [values.get(name)?.shape, second[name]?.shape];
      if (
        !before ||
        !after ||
        (before.length === after.length && before.every((size, axis) => size === after[axis]))
      )
        continue;
      throw new Error(
        `${model.source}: ${describeNode(node)} gives '${name}' the shape [${before.join(", ")}] on one batch and ` +
          `[${after.join(", ")}] on another${feeds ? " (the sample batch and made-up numbers)" : ""}: its shape depends on ` +
          "data. Export the model with fixed shapes.",
      );
    }
  }
}

// Only through one of these can data decide a shape.
const dataDependentOps = new Set([
  "NonZero",
  "Unique",
  "Compress",
  "Expand",
  "Reshape",
  "Range",
  "ConstantOfShape",
  "Tile",
  "Slice",
  "Pad",
  "Resize",
  "OneHot",
  "TopK",
  "NonMaxSuppression",
  "Squeeze",
  "Split",
]);

function checkMemory(model: Model, inputs: readonly Value[], runtime: Runtime): void {
  const needed = totalBytes(inputs);
  if (runtime.memory === undefined || needed <= runtime.memory) return;
  const sizes = inputs.map(({ name, shape }) => `'${name}' [${shape.join(", ")}]`).join(", ");
  throw new Error(
    `${model.source}: the inputs ${sizes} take ${(needed / 2 ** 30).toFixed(1)} GiB, and this machine has ` +
      `${(runtime.memory / 2 ** 30).toFixed(1)} GiB; use a smaller batch or smaller dimensions.`,
  );
}
