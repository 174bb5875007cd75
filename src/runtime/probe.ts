import { create, toBinary } from "@bufbuild/protobuf";
import type { NodeProto } from "onnx-buf";
import { ModelError } from "../errors/errors.ts";
import { type Binding, bindInputs } from "../onnx/bind.ts";
import { type Graph, prune, totalBytes, type Value } from "../onnx/graph.ts";
import { withFields } from "../onnx/messages/message.ts";
import { ModelProtoSchema, NodeProtoSchema, ValueInfoProtoSchema } from "../onnx/messages/schemas.ts";
import { own } from "../onnx/own.ts";
import type { Model } from "../onnx/read-model.ts";
import { isStructural } from "../onnx/structure/structural-ops.ts";
import { isFloat, type Tensor, toNumbers } from "../onnx/tensor.ts";
import type { Runtime, Session, Tensors } from "./runtime.ts";
import { doesNotRun, sample, shapeConstants, withoutWeights } from "./trial.ts";

/** How a model is run once to learn the shapes of its values. */
export interface ProbeOptions extends Binding {
  /** A sample batch; default: small made-up numbers. */
  readonly feeds?: Tensors;
  /** Called with the model, control flow and sequences replaced, before all of it runs; may throw. */
  readonly check?: (model: Model) => void | Promise<void>;
}

/**
 * Runs an imported model once, with the shape of every intermediate value as an output, and reads off the types, the shapes, and
 * the values of everything that only shapes and constants decide (shape arithmetic in exported models). Those become
 * initializers, so the graph that comes back contains the computation alone. Before that, control flow and sequences are
 * replaced by what shapes, constants and filled inputs make of them.
 *
 * @throws when a dimension is open, when the model does not run, or when a shape depends on data.
 */
export async function probe(file: Model, runtime: Runtime, options: ProbeOptions = {}): Promise<Graph> {
  const inputs = bindInputs(file, options);
  checkMemory(file, inputs, runtime);
  const model = await withPlainNodes(file, runtime, inputs, options.feeds ?? {});
  await options.check?.(model);
  const constantNames = shapeConstants(model);
  // Most models have no op by which data could decide a shape.
  const isSuspect = model.nodes.some(({ op }) => dataDependentOps.has(op));
  const dependence = isSuspect ? await import("./data-dependence.ts") : undefined;
  dependence?.refuseCounts(model, constantNames);
  const first = await observe(model, runtime, inputs, constantNames, options.feeds ?? {}, 0);
  const values = new Map<string, Value>();
  for (const input of inputs) values.set(input.name, input);
  for (const [name, { dtype, shape }] of model.initializers) values.set(name, { name, dtype, shape });
  for (const value of first.values) values.set(value.name, value);
  if (dependence) {
    const second = await observe(model, runtime, inputs, new Set(), {}, 1);
    dependence.compareShapes(model, values, second.values, options.feeds !== undefined);
  }

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

/** The model without control flow and sequences; few models have some, so that the rules for them load when one does. */
async function withPlainNodes(
  file: Model,
  runtime: Runtime,
  inputs: readonly Value[],
  feeds: Tensors,
): Promise<Model> {
  if (!file.nodes.some(isStructural)) return file;
  const { withStaticStructure } = await import("./static-structure.ts");
  return withStaticStructure(file, runtime, inputs, feeds);
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
    const { graph } = proto;
    if (!graph) throw new Error("it has no graph");
    const declared = new Set(graph.output.map((output) => output.name));
    const undeclared = names.filter((name) => !declared.has(name));
    const output = undeclared.map((name) => create(ValueInfoProtoSchema, { name }));
    const extended = withFields(proto, {
      graph: withFields(graph, { node: [...graph.node, ...nodes], output: [...graph.output, ...output] }),
    });
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
    throw doesNotRun(model, runtime, inputs, cause);
  } finally {
    for (const session of sessions) await session.release();
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
  throw new ModelError(
    `${model.source}: the inputs ${sizes} take ${(needed / 2 ** 30).toFixed(1)} GiB, and this machine has ` +
      `${(runtime.memory / 2 ** 30).toFixed(1)} GiB; use a smaller batch or smaller dimensions.`,
    { source: model.source },
  );
}
