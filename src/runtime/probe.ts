import { clone, create, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from "onnx-buf";
import { type Binding, bindInputs } from "../onnx/bind.ts";
import { conditionsOf, controlFlowOps, takeBranches } from "../onnx/branches.ts";
import { isConstantOf } from "../onnx/constants.ts";
import type { Model } from "../onnx/decode.ts";
import { describeNode, type Graph, type Node, prune, totalBytes, type Value } from "../onnx/graph.ts";
import { withFields } from "../onnx/message.ts";
import { own } from "../onnx/own.ts";
import {
  dtypeNumbers,
  elementCount,
  isFloat,
  type Tensor,
  tensorOf,
  toNumbers,
  zeros,
} from "../onnx/tensor.ts";
import { DeviceError, type Runtime, type Session, type Tensors } from "./runtime.ts";

export interface ProbeOptions extends Binding {
  /** A sample batch; default: small made-up numbers. */
  readonly feeds?: Tensors;
}

/**
 * Runs an imported model once, with the shape of every intermediate value as an output, and reads off the types, the shapes, and
 * the values of everything that only shapes and constants decide (shape arithmetic in exported models). Those become
 * initializers, so the graph that comes back contains the computation alone.
 *
 * @throws when a dimension is open, when the model does not run, or when a shape depends on data.
 */
export async function probe(file: Model, runtime: Runtime, options: ProbeOptions = {}): Promise<Graph> {
  const inputs = bindInputs(file, options);
  checkMemory(file, inputs, runtime);
  const model = await withoutKnownBranches(file, runtime, inputs);
  const constantNames = shapeConstants(model);
  refuseCounts(model, constantNames);
  const first = await observe(model, runtime, inputs, constantNames, options.feeds ?? {}, 0);
  const values = new Map<string, Value>();
  for (const input of inputs) values.set(input.name, input);
  for (const [name, { dtype, shape }] of model.initializers) values.set(name, { name, dtype, shape });
  for (const value of first.values) values.set(value.name, value);
  await checkDataDependence(model, runtime, inputs, values, options.feeds);

  const initializers = new Map(model.initializers);
  for (const name of constantNames) {
    const tensor = own(first.constants, name);
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

/** The model with the branches that its shapes and constants choose, instead of the If nodes that choose them. */
async function withoutKnownBranches(
  model: Model,
  runtime: Runtime,
  inputs: readonly Value[],
): Promise<Model> {
  const computable = shapeConstants(model);
  const names = conditionsOf(model);
  const wanted = new Set(names.filter((name) => computable.has(name)));
  const computed = wanted.size > 0 ? (await observe(model, runtime, inputs, wanted, {}, 0)).constants : {};
  const known = names.flatMap((name) => {
    const tensor = own(computed, name) ?? model.initializers.get(name);
    return tensor ? [[name, Number(tensor.data[0]) !== 0] as const] : [];
  });
  // A branch may hold further ones.
  return known.length === 0
    ? model
    : withoutKnownBranches(takeBranches(model, new Map(known)), runtime, inputs);
}

/** What one run shows. */
interface Observation {
  /** Type and shape of every computed value. */
  readonly values: readonly Value[];
  /** The constants asked for. */
  readonly constants: Readonly<Record<string, Tensor>>;
}

/**
 * Runs the model once and reads the shape of every value through a Shape node, so that values are freed as soon as the
 * model needs them no more.
 */
async function observe(
  model: Model,
  runtime: Runtime,
  inputs: readonly Value[],
  constantNames: ReadonlySet<string>,
  feeds: Tensors,
  variant: number,
): Promise<Observation> {
  const computed = model.nodes.flatMap((node) => node.outputs.filter((name) => name !== ""));
  const proto = withoutWeights(model);
  const samples = Object.fromEntries(
    inputs.map((input) => [input.name, own(feeds, input.name) ?? sample(input, variant)] as const),
  );
  const sessions: Session[] = [];
  const compile = async (names: readonly string[], nodes: readonly NodeProto[] = []) => {
    const extended = clone(ModelProtoSchema, proto);
    const { graph } = extended;
    if (!graph) throw new Error("it has no graph");
    graph.node.push(...nodes);
    const declared = new Set(graph.output.map((output) => output.name));
    for (const name of names)
      if (!declared.has(name)) graph.output.push(create(ValueInfoProtoSchema, { name }));
    const options = { optimize: false, arena: false };
    const session = await runtime.createSession(toBinary(ModelProtoSchema, extended), options);
    sessions.push(session);
    return session;
  };
  try {
    // Element types are known when a model is compiled; this session never runs.
    const { outputTypes } = await compile(computed);
    const shapeOf = (name: string) => `${name}/shape of the probe`;
    const shapeNodes = computed.map((name) =>
      create(NodeProtoSchema, { opType: "Shape", input: [name], output: [shapeOf(name)] }),
    );
    const constants = computed.filter((name) => constantNames.has(name));
    // ONNX Runtime runs towards the last node first: in reverse, each value's shape is read before the next is computed.
    const session = await compile([...constants, ...computed.map(shapeOf)], shapeNodes.reverse());
    const results = await session.run(samples, [...constants, ...computed.map(shapeOf)]);
    return {
      values: computed.map((name) => {
        const dtype = own(outputTypes, name);
        if (!dtype) throw new Error(`the value '${name}' is no tensor of numbers`);
        return { name, dtype, shape: toNumbers(results[shapeOf(name)] as Tensor) };
      }),
      constants: Object.fromEntries(constants.map((name) => [name, results[name] as Tensor])),
    };
  } catch (cause) {
    if (cause instanceof DeviceError) throw cause;
    throw new Error(
      `${model.source} does not run on ${runtime.name}: ${(cause as Error).message} ` +
        `(inputs ${inputs.map(({ name, dtype, shape }) => `'${name}' ${dtype} [${shape.join(", ")}]`).join(", ")}).`,
      { cause },
    );
  } finally {
    for (const session of sessions) await session.release();
  }
}

/** Elements from which a stored float tensor counts as weights, whose numbers decide no shape. */
const weightElements = 1024;

/** The model with its weights made when it runs, all the same number, instead of stored: shapes need no more. */
function withoutWeights(model: Model): ModelProto {
  const { graph } = model.proto;
  if (!graph) return model.proto;
  const weights = new Map(
    [...model.initializers].filter(([, { dtype, data }]) => isFloat(dtype) && data.length >= weightElements),
  );
  const made = [...weights].map(([name, tensor]) => {
    const dataType = dtypeNumbers[tensor.dtype];
    const shape = `${name}/shape of the weight`;
    const value = create(TensorProtoSchema, { dataType, dims: [1n], ...smallNumber(dataType) });
    return {
      shape: create(TensorProtoSchema, {
        name: shape,
        dataType: dtypeNumbers.int64,
        dims: [BigInt(tensor.shape.length)],
        int64Data: tensor.shape.map(BigInt),
      }),
      node: create(NodeProtoSchema, {
        opType: "ConstantOfShape",
        input: [shape],
        output: [name],
        attribute: [create(AttributeProtoSchema, { name: "value", type: AttributeType.TENSOR, t: value })],
      }),
    };
  });
  return withFields(model.proto, {
    graph: withFields(graph, {
      input: graph.input.filter(({ name }) => !weights.has(name)),
      initializer: [
        ...graph.initializer.filter(({ name }) => !weights.has(name)),
        ...made.map(({ shape }) => shape),
      ],
      node: [...made.map(({ node }) => node), ...graph.node.filter((node) => !isConstantOf(node, weights))],
    }),
  });
}

/** About 0.01 in this type. */
function smallNumber(dataType: number): {
  floatData?: number[];
  doubleData?: number[];
  int32Data?: number[];
} {
  if (dataType === dtypeNumbers.float32) return { floatData: [0.01] };
  if (dataType === dtypeNumbers.float64) return { doubleData: [0.01] };
  // The bits of 0.01 in half precision, or in bfloat16.
  return { int32Data: [dataType === dtypeNumbers.float16 ? 0x211f : 0x3c24] };
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
  // Graphs inside a node read values that its inputs do not tell.
  if (controlFlowOps.has(node.op)) return false;
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
  const second = await observe(model, runtime, inputs, new Set(), {}, 1);
  const shapes = new Map(second.values.map(({ name, shape }) => [name, shape]));
  for (const node of model.nodes) {
    for (const name of node.outputs) {
      const [before, after] = [values.get(name)?.shape, shapes.get(name)];
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
