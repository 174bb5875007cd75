import { create } from "@bufbuild/protobuf";
import type { NodeProto, TensorProto, ValueInfoProto } from "onnx-buf";
import { encodeNode, encodeTensor } from "./encode.ts";
import { type Attributes, ints } from "./graph.ts";
import { withFields } from "./messages/message.ts";
import { TensorShapeProto_DimensionSchema, TensorShapeProtoSchema } from "./messages/schemas.ts";
import { type Model, readModel } from "./read-model.ts";
import { tensorOf } from "./tensor.ts";

/** How a model whose file fixes its batch is changed to read another one. */
export interface BatchPlan {
  /** Shapes at the new batch, by value; values that do not change are left out. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Sizes that a Reshape, an Expand or a ConstantOfShape gets instead of its own, by its first output. */
  readonly sizes: ReadonlyMap<string, readonly number[]>;
  /** Inputs of a node that are repeated for every example, by its first output: the input's place, and how. */
  readonly repeated: ReadonlyMap<string, ReadonlyMap<number, Repetition>>;
}

/** Rows of a value along an axis, all the same, repeated to a shape. */
export interface Repetition {
  readonly axis: number;
  readonly rows: number;
  readonly shape: readonly number[];
}

/** The model that reads another batch; it shares the numbers of stored tensors with the one before. */
export function rebatchModel(model: Model, { shapes, sizes, repeated }: BatchPlan): Model {
  const { graph } = model.proto;
  if (!graph) return model;
  const added: TensorProto[] = [];
  const constant = (name: string, numbers: readonly number[]) => {
    added.push(encodeTensor(name, tensorOf("int64", numbers, [numbers.length])));
    return name;
  };
  const nodes = graph.node.flatMap((stored): NodeProto[] => {
    const [first = ""] = stored.output;
    const input = [...stored.input];
    const size = sizes.get(first);
    if (size) input[stored.opType === "ConstantOfShape" ? 0 : 1] = constant(`${first}/size`, size);
    const before = [...(repeated.get(first) ?? [])].flatMap(([index, { axis, rows, shape }]) => {
      const own = `${first}/input ${index}`;
      const [row, all] = [rows === 1 ? (input[index] ?? "") : `${own}/row`, `${own}/all`];
      const expand = node("Expand", [row, constant(`${own}/shape`, shape)], all);
      // Their mean, so that rows that are trained stay the same.
      const axes =
        model.opset < 18
          ? { attributes: { axes: ints([axis]) }, inputs: [] }
          : { inputs: [constant(`${own}/axis`, [axis])] };
      const mean = node("ReduceMean", [input[index] ?? "", ...axes.inputs], row, axes.attributes);
      input[index] = all;
      return rows === 1 ? [expand] : [mean, expand];
    });
    return [...before, withFields(stored, { input })];
  });
  const resized = (info: ValueInfoProto) => withShape(info, shapes.get(info.name));
  const changed = withFields(graph, {
    node: nodes,
    initializer: [...graph.initializer, ...added],
    input: graph.input.map(resized),
    output: graph.output.map(resized),
    // What the file says of the shapes between no longer holds; what it says of stored tensors does.
    valueInfo: graph.valueInfo.filter(({ name }) => model.initializers.has(name)),
  });
  return readModel(withFields(model.proto, { graph: changed }), model.source, model.limits);
}

function node(op: string, inputs: readonly string[], output: string, attributes: Attributes = {}): NodeProto {
  return encodeNode({ op, inputs, outputs: [output], name: "", domain: "", attributes });
}

function withShape(info: ValueInfoProto, shape: readonly number[] | undefined): ValueInfoProto {
  const { type } = info;
  if (!shape || type?.value.case !== "tensorType") return info;
  const dim = shape.map((size) =>
    create(TensorShapeProto_DimensionSchema, { value: { case: "dimValue", value: BigInt(size) } }),
  );
  const value = withFields(type.value.value, { shape: create(TensorShapeProtoSchema, { dim }) });
  return withFields(info, { type: withFields(type, { value: { case: "tensorType", value } }) });
}
