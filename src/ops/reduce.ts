import { int, type Node, type Value } from "../onnx/graph.ts";
import { elementCount, int64, type Tensor } from "../onnx/tensor.ts";
import { intsAttribute, type Op } from "./op.ts";
import { cast, only, output, reshape } from "./rules.ts";
import { keepAxes, reductionAxes, reductionShape, required } from "./shapes.ts";

/** d Σx = Σdx */
export const ReduceSum: Op = linearReduction(() => 1);

/** d mean(x) = mean(dx) */
export const ReduceMean: Op = linearReduction((count) => 1 / count);

/** A sum over axes times a factor that depends on how many elements are summed. */
function linearReduction(factor: (count: number) => number): Op {
  return {
    shape: reductionShape,
    defaults: { keepdims: int(1), noop_with_empty_axes: int(0) },
    upgrade: axesToInput,
    jvp: (g, node, [tangent]) => {
      const axes = reductionAxes(node).map((axis) => axis + 1);
      if (axes.length === 0) return [tangent];
      const reduced = g.emit(node.node.op, [tangent, axes], { keepdims: 0 });
      return [reshape(g, reduced, [reduced.shape[0] as number, ...output(node).shape])];
    },
    transpose: (g, node, cotangents) => {
      const { shape } = required(node, 0);
      const axes = reductionAxes(node);
      const scale = factor(elementCount(axes.map((axis) => shape[axis] as number)));
      const kept = reshape(g, only(cotangents), keepAxes(shape, axes));
      return g.emit("Expand", [scale === 1 ? kept : g.emit("Mul", [kept, scale]), shape]);
    },
  };
}

/** d max(x) = Σ w dx over the axes, the weight shared evenly among ties, as in PyTorch's `amax` */
export const ReduceMax: Op = {
  shape: reductionShape,
  defaults: { keepdims: int(1), noop_with_empty_axes: int(0) },
  upgrade: axesToInput,
  jvp: (g, node, [tangent]) => {
    const x = required(node, 0);
    const axes = reductionAxes(node);
    if (axes.length === 0) return [tangent];
    const largest = reshape(g, output(node), keepAxes(x.shape, axes));
    const chosen = cast(g, g.emit("Equal", [x, largest]), x.dtype);
    const weight = g.emit("Div", [chosen, g.emit("ReduceSum", [chosen, axes])]);
    const picked = g.emit("Mul", [tangent as Value, weight]);
    const reduced = g.emit("ReduceSum", [picked, axes.map((axis) => axis + 1)], { keepdims: 0 });
    return [reshape(g, reduced, [reduced.shape[0] as number, ...output(node).shape])];
  },
};

/** Before opset 18 the axes were an attribute. */
function axesToInput(node: Node, opset: number, constant: (tensor: Tensor) => string): Node {
  const axes = intsAttribute(node, "axes");
  if (opset >= 18 || !axes) return node;
  const { axes: _, ...attributes } = node.attributes;
  return { ...node, inputs: [node.inputs[0] ?? "", constant(int64(axes))], attributes };
}
