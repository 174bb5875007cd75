/** Makes a graph and numbers from an op's sample. */
import type { Graph, Node } from "../../onnx/graph.ts";
import { type DType, elementCount, isFloat, type Tensor, tensorOf } from "../../onnx/tensor.ts";
import { GraphBuilder } from "../full-builder.ts";
import type { Op } from "../op.ts";
import type { ValueType } from "../view.ts";
import type { Sample, SampleInput } from "./sample.ts";

/** Values spread over the range, none within 0.03 of 0, so that no kink lies inside the difference. */
export function spread(input: SampleInput, dtype: DType, offset: number): Tensor {
  const [low, high] = input.range;
  const values = Array.from({ length: elementCount(input.shape) }, (_, index) => {
    const multiple = (index + 1 + 17 * offset) * 0.7548776662466927;
    const value = low + (high - low) * (multiple - Math.floor(multiple));
    return Math.abs(value) < 0.03 ? value + 0.1 : value;
  });
  return tensorOf(dtype, values, input.shape);
}

/** A graph of one node, `x0`, `x1`, … to `y0`, `y1`, …, and numbers for its inputs. */
export function buildSample(
  op: string,
  sample: Sample,
  dtype: DType,
): { graph: Graph; feeds: Record<string, Tensor>; wrt: string[] } {
  const g = new GraphBuilder(op);
  const { operands, feeds, wrt } = operandsOf(g, sample, dtype);
  const outputs = g.node(op, operands, sample.attributes, { outputs: sample.outputs });
  const graph = g.build(Object.fromEntries(outputs.map((value, index) => [`y${index}`, value])));
  return {
    graph: { ...graph, opset: sample.opset ?? graph.opset },
    feeds,
    wrt,
  };
}

/** As `buildSample`, of an op beyond the catalogue, whose rules are given. */
export function buildFurtherSample(name: string, domain: string, op: Op, sample: Sample, dtype: DType) {
  const g = new GraphBuilder(name);
  const { operands, feeds, wrt } = operandsOf(g, sample, dtype);
  const outputs = Array.from({ length: sample.outputs ?? 1 }, (_, index) => `y${index}`);
  const node: Node = {
    ...{ name, op: name, domain, outputs, attributes: sample.attributes ?? {} },
    inputs: operands.map((operand) => operand?.name ?? ""),
  };
  const types = op.shape({ node, inputs: operands, constant: (index) => g.constantOf(operands[index]) });
  const values = outputs.map((output, index) => ({ name: output, ...(types[index] as ValueType) }));
  g.append(node, values);
  const graph: Graph = { ...g.snapshot(), outputs: values };
  return { graph, feeds, wrt };
}

/** Inputs of the graph or constants in the place of a sample's operands, and numbers for those inputs. */
function operandsOf(g: GraphBuilder, sample: Sample, dtype: DType) {
  const feeds: Record<string, Tensor> = {};
  const wrt: string[] = [];
  const operands = sample.inputs.map((input, index) => {
    if (!input) return undefined;
    if ("data" in input) {
      return g.constant(
        isFloat(input.dtype) ? tensorOf(dtype, input.data as Float64Array, input.shape) : input,
      );
    }
    const name = `x${index}`;
    feeds[name] = spread(input, dtype, index);
    wrt.push(name);
    return g.input(name, dtype, input.shape);
  });
  return { operands, feeds, wrt };
}
