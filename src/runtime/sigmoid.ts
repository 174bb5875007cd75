import { create } from "@bufbuild/protobuf";
import type { NodeProto } from "onnx-buf";
import { type Graph, getValue, type Node, producers, type Value } from "../onnx/graph.ts";
import { withFields } from "../onnx/messages/message.ts";
import { NodeProtoSchema, TensorProtoSchema } from "../onnx/messages/schemas.ts";
import type { Model } from "../onnx/read-model.ts";
import { dtypeNumbers, type Tensor, tensorOf } from "../onnx/tensor.ts";

/**
 * The graph with float32 Sigmoid nodes as 1/(1 + e⁻ˣ). ONNX Runtime's own kernel gives 0 below −18, where derivatives of
 * gates, likelihoods and swishes still need the digits; this form has them all down to −88, where float32 ends.
 */
export function accurateSigmoid(graph: Graph): Graph {
  const isMeant = ({ op, domain, outputs }: Node) =>
    op === "Sigmoid" && domain === "" && getValue(graph, outputs[0] as string).dtype === "float32";
  if (!graph.nodes.some(isMeant)) return graph;
  const values = new Map(graph.values);
  const made = producers(graph);
  const declare = (stem: string, like: Omit<Value, "name">) => {
    let name = stem;
    while (values.has(name)) name += "'";
    values.set(name, { ...like, name });
    return name;
  };
  const one: Tensor = tensorOf("float32", [1], []);
  const unit = declare("sigmoid/one", one);
  const nodes = graph.nodes.flatMap((node) => {
    if (!isMeant(node)) return [node];
    const [x = ""] = node.inputs;
    const [y = ""] = node.outputs;
    const part = (op: string, inputs: readonly string[], output?: string): Node => {
      const name = `${node.name || y}/${op}`;
      return {
        name,
        op,
        domain: "",
        inputs,
        outputs: [output ?? declare(name, getValue(graph, y))],
        attributes: {},
      };
    };
    const opposite = made.get(x);
    const isNegated = opposite?.op === "Neg" && opposite.domain === "";
    const negated = isNegated ? [] : [part("Neg", [x])];
    const power = part("Exp", [
      isNegated ? (opposite.inputs[0] as string) : (negated[0]?.outputs[0] as string),
    ]);
    const sum = part("Add", [power.outputs[0] as string, unit]);
    return [...negated, power, sum, part("Reciprocal", [sum.outputs[0] as string], y)];
  });
  return { ...graph, nodes, values, initializers: new Map([...graph.initializers, [unit, one]]) };
}

/** A model file with its Sigmoid nodes in the same form, to be run; a file with float64 numbers stays as it is. */
export function withAccurateSigmoid(model: Model): Model {
  const { graph } = model.proto;
  const isMeant = ({ opType, domain }: NodeProto) =>
    opType === "Sigmoid" && (domain === "" || domain === "ai.onnx");
  const types = [...model.inputs, ...model.initializers.values()].map(({ dtype }) => dtype);
  if (!graph?.node.some(isMeant) || types.includes("float64")) return model;
  const unit = "sigmoid/one";
  const one = create(TensorProtoSchema, { name: unit, dataType: dtypeNumbers.float32, floatData: [1] });
  const node = graph.node.flatMap((given) => {
    if (!isMeant(given)) return [given];
    const [y = ""] = given.output;
    const part = (opType: string, input: string[], output = `${y}/sigmoid/${opType}`) =>
      create(NodeProtoSchema, { name: `${given.name || y}/${opType}`, opType, input, output: [output] });
    const negated = part("Neg", [...given.input]);
    const power = part("Exp", [...negated.output]);
    const sum = part("Add", [...power.output, unit]);
    return [negated, power, sum, part("Reciprocal", [...sum.output], y)];
  });
  const changed = withFields(graph, { node, initializer: [...graph.initializer, one] });
  return { ...model, proto: withFields(model.proto, { graph: changed }) };
}
