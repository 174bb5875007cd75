/** Dropout while training: masks as inputs of the graph, drawn for each step. */
import type { ModelProto } from "onnx-buf";
import { ModelError } from "../errors/errors.ts";
import {
  consumers,
  describeNode,
  type Graph,
  getValue,
  type Node,
  nodeName,
  type Value,
} from "../onnx/graph.ts";
import { withFields } from "../onnx/messages/message.ts";
import type { Model } from "../onnx/read-model.ts";
import { elementCount, type Tensor, toNumbers } from "../onnx/tensor.ts";
import { fold, type Key } from "../random/threefry.ts";
import { fillUniform } from "../random/uniform.ts";

/** What a Dropout node multiplies its input by while training. */
export interface DropoutMask {
  /** The graph input that takes it: `dropout/<node>`. */
  readonly name: string;
  readonly shape: readonly number[];
  /** Share of the values that are dropped; the others grow by 1/(1 − ratio). */
  readonly ratio: number;
}

/**
 * Turns Dropout nodes in training mode into products with masks that are fed: the same mask for every tangent of a step,
 * and again the same in a resumed run, which no runtime's own random state gives.
 *
 * @throws when a node's ratio is not constant, its dtype is not float32, or its own mask is read
 */
export function useDropoutMasks(graph: Graph): {
  readonly graph: Graph;
  readonly masks: readonly DropoutMask[];
} {
  const masks: DropoutMask[] = [];
  const inputs: Value[] = [];
  const readers = consumers(graph);
  const nodes = graph.nodes.map((node): Node => {
    if (!isTraining(node, graph.initializers)) return node;
    const x = getValue(graph, node.inputs[0] ?? "");
    const ratio = scalar(graph.initializers.get(node.inputs[1] ?? "")) ?? (node.inputs[1] ? undefined : 0.5);
    const readsMask = node.outputs[1] !== undefined && readers.has(node.outputs[1]);
    if (ratio === undefined || !(ratio >= 0 && ratio < 1) || x.dtype !== "float32" || readsMask) {
      throw new ModelError(
        `${describeNode(node)}: dropout while training needs a float32 input, a constant ratio from 0 to below 1, and a mask ` +
          "that nothing else reads; export the model after model.eval().",
        { node: nodeName(node) },
      );
    }
    const name = `dropout/${node.name || node.outputs[0]}`;
    masks.push({ name, shape: x.shape, ratio });
    inputs.push({ name, dtype: "float32", shape: x.shape });
    return { ...node, op: "Mul", inputs: [x.name, name], outputs: node.outputs.slice(0, 1), attributes: {} };
  });
  if (masks.length === 0) return { graph, masks };
  const values = new Map([...graph.values, ...inputs.map((value) => [value.name, value] as const)]);
  return { graph: { ...graph, inputs: [...graph.inputs, ...inputs], nodes, values }, masks };
}

/** The model with Dropout nodes out of training mode, as it is measured and saved. */
export function withoutDropout(model: Model): Model {
  const isDropout = ({ op, domain, inputs }: Node) => op === "Dropout" && domain === "" && inputs.length > 2;
  if (!model.nodes.some(isDropout)) return model;
  const nodes = model.nodes.map((node) =>
    isDropout(node) ? { ...node, inputs: node.inputs.slice(0, 2) } : node,
  );
  const without = (proto: ModelProto) => {
    const { graph } = proto;
    const node = (graph?.node ?? []).map((stored) =>
      stored.opType === "Dropout" && stored.domain === ""
        ? withFields(stored, { input: stored.input.slice(0, 2) })
        : stored,
    );
    return withFields(proto, { graph: graph && withFields(graph, { node }) });
  };
  const { proto, file } = model;
  return {
    ...model,
    proto: without(proto),
    ...(file && { file: { ...file, proto: without(file.proto) } }),
    nodes,
  };
}

/** Buffers for the masks, by input name. */
export function maskTensors(masks: readonly DropoutMask[]): Record<string, Tensor> {
  return Object.fromEntries(
    masks.map(({ name, shape }) => [
      name,
      { dtype: "float32", shape, data: new Float32Array(elementCount(shape)).fill(1) },
    ]),
  );
}

/** Draws the masks of one step: mask i reads the stream `fold(key, i)`. */
export function drawMasks(
  masks: readonly DropoutMask[],
  tensors: Readonly<Record<string, Tensor>>,
  key: Key,
): void {
  for (const [index, { name, ratio }] of masks.entries()) {
    const data = tensors[name]?.data as Float32Array;
    fillUniform(fold(key, index), 0, data);
    const kept = 1 / (1 - ratio);
    for (let position = 0; position < data.length; position++)
      data[position] = (data[position] as number) >= ratio ? kept : 0;
  }
}

function isTraining(node: Node, constants: ReadonlyMap<string, Tensor>): boolean {
  return node.op === "Dropout" && node.domain === "" && scalar(constants.get(node.inputs[2] ?? "")) === 1;
}

/** The one number of a tensor; undefined where there is none. */
function scalar(tensor: Tensor | undefined): number | undefined {
  return tensor && toNumbers(tensor)[0];
}
