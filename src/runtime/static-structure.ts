/** Finds out what decides a model's control flow and sequences, and replaces them. */
import { create, toBinary } from "@bufbuild/protobuf";
import type { NodeProto } from "onnx-buf";
import type { Value } from "../onnx/graph.ts";
import { withFields } from "../onnx/messages/message.ts";
import { ModelProtoSchema, ValueInfoProtoSchema } from "../onnx/messages/schemas.ts";
import { own } from "../onnx/own.ts";
import type { Model } from "../onnx/read-model.ts";
import type { Findings, Wanted } from "../onnx/structure/known.ts";
import { countingLoop, outerReads } from "../onnx/structure/loops.ts";
import { refuseStructure, replaceStructure, withoutSequences } from "../onnx/structure/structure.ts";
import { plainNode, readsOf, someInside } from "../onnx/structure/subgraphs.ts";
import { isFloat, type Tensor, toNumbers } from "../onnx/tensor.ts";
import type { Runtime, Tensors } from "./runtime.ts";
import { doesNotRun, sample, shapeConstants, withoutWeights } from "./trial.ts";

/**
 * The model with plain nodes in place of all control flow and sequences: the branches, iterations, lengths and positions
 * that its shapes, its constants and its filled inputs decide.
 *
 * @throws when data decide one, or when a loop is too long to be written out
 */
export async function withStaticStructure(
  file: Model,
  runtime: Runtime,
  inputs: readonly Value[],
  feeds: Tensors,
): Promise<Model> {
  const findings: Found = {
    numbers: new Map<string, Tensor>(),
    shapes: new Map<string, readonly number[]>(),
    iterations: new Map<string, number>(),
    sequences: new Map<string, readonly string[]>(),
  };
  let model = file;
  for (;;) {
    const replaced = replaceStructure(model, findings);
    model = replaced.model;
    // A branch may hold further ones, and what a loop leads to is seen after it.
    if (!(await findOut(model, replaced.wanted, findings, runtime, inputs, feeds))) break;
  }
  const plain = withoutSequences(model, findings);
  refuseStructure(plain, findings);
  return plain;
}

interface Found extends Findings {
  readonly numbers: Map<string, Tensor>;
  readonly shapes: Map<string, readonly number[]>;
  readonly iterations: Map<string, number>;
}

/** Runs the part of the model that tells what is wanted; false when nothing new can be told. */
async function findOut(
  model: Model,
  wanted: Wanted,
  findings: Found,
  runtime: Runtime,
  inputs: readonly Value[],
  feeds: Tensors,
): Promise<boolean> {
  const { graph } = model.proto;
  const [constants, producer] = [shapeConstants(model), producers(graph?.node ?? [])];
  const isConstant = (name: string) => {
    const stored = model.initializers.get(name);
    return constants.has(name) || (stored !== undefined && !isFloat(stored.dtype));
  };
  // A loop may run forever, so that nothing behind one is run before it is written out.
  const isReached = (name: string) => ancestors([name], producer) !== undefined;
  const numbers = [...wanted.numbers].filter(
    (name) => producer.has(name) && constants.has(name) && isReached(name),
  );
  const shapes = [...wanted.shapes].filter(isReached);
  const loops = [...wanted.loops].flatMap(([key, node]) => {
    const nodes = countingLoop(node, countOf(key), model.limits.unrolledNodes);
    if (!nodes) return [];
    const around = outerReads(nodes);
    return around.every((name) => isConstant(name) && isReached(name)) ? [{ key, nodes, around }] : [];
  });
  if (!graph || numbers.length + shapes.length + loops.length === 0) return false;
  const added = [
    ...loops.flatMap(({ nodes }) => nodes),
    ...shapes.map((name) => plainNode("Shape", [name], [shapeOf(name)])),
    ...loops.map(({ key }) => plainNode("Shape", [countOf(key)], [shapeOf(countOf(key))])),
  ];
  const outputs = [...numbers, ...shapes.map(shapeOf), ...loops.map(({ key }) => shapeOf(countOf(key)))];
  const before = ancestors([...numbers, ...shapes, ...loops.flatMap(({ around }) => around)], producer);
  const node = [...graph.node.filter((each) => before?.has(each)), ...added];
  const read = new Set([...node.flatMap(readsOf), ...outputs]);
  const part = withFields(graph, {
    node,
    initializer: graph.initializer.filter(({ name }) => read.has(name)),
    output: outputs.map((name) => create(ValueInfoProtoSchema, { name })),
  });
  const initializers = new Map([...model.initializers].filter(([name]) => read.has(name)));
  const proto = withoutWeights({ ...model, initializers, proto: withFields(model.proto, { graph: part }) });
  const results = await runOnce(proto, model, runtime, inputs, feeds, outputs);
  const numbersOf = (name: string) => {
    const tensor = own(results, name);
    return tensor ? toNumbers(tensor) : [];
  };
  for (const name of numbers) {
    const tensor = own(results, name);
    if (tensor) findings.numbers.set(name, { ...tensor, data: tensor.data.slice() });
  }
  for (const name of shapes) findings.shapes.set(name, numbersOf(shapeOf(name)));
  for (const { key } of loops) findings.iterations.set(key, numbersOf(shapeOf(countOf(key)))[0] ?? 0);
  return true;
}

const shapeOf = (name: string) => `${name}/shape of the structure`;
const countOf = (key: string) => `${key}/turns`;

async function runOnce(
  proto: ReturnType<typeof withoutWeights>,
  model: Model,
  runtime: Runtime,
  inputs: readonly Value[],
  feeds: Tensors,
  outputs: readonly string[],
): Promise<Tensors> {
  const given = new Set(proto.graph?.input.map(({ name }) => name));
  const samples = Object.fromEntries(
    inputs
      .filter(({ name }) => given.has(name))
      .map((input) => [input.name, own(feeds, input.name) ?? sample(input, 0)] as const),
  );
  try {
    const bytes = toBinary(ModelProtoSchema, proto);
    const session = await runtime.createSession(bytes, { optimize: false, arena: false });
    try {
      return await session.run(samples, outputs);
    } finally {
      await session.release();
    }
  } catch (cause) {
    throw doesNotRun(model, runtime, inputs, cause);
  }
}

function producers(nodes: readonly NodeProto[]): Map<string, NodeProto> {
  return new Map(nodes.flatMap((node) => node.output.map((name) => [name, node] as const)));
}

/** The nodes that some values need; undefined where a loop is among them. */
function ancestors(
  names: readonly string[],
  producer: ReadonlyMap<string, NodeProto>,
): Set<NodeProto> | undefined {
  const found = new Set<NodeProto>();
  const pending = [...names];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const node = producer.get(name);
    if (!node || found.has(node)) continue;
    if (someInside(node, ({ opType }) => opType === "Loop")) return undefined;
    found.add(node);
    pending.push(...readsOf(node));
  }
  return found;
}
