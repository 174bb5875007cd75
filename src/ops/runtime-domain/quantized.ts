/** Products of rounded numbers that give floats, as the optimizer joins them from the standard's ops. */
import type { Value } from "../../onnx/graph.ts";
import type { Emitter } from "../emitter.ts";
import type { Op } from "../op.ts";
import { cast } from "../rules.ts";
import { broadcastShapes, required, sizeOf } from "../shapes.ts";
import type { NodeView, ValueType } from "../view.ts";

/** s t (A − a)(B − b) + c, with A in few bits; the scales s of A and t of B are one number, or one for each row or column. */
export const MatMulIntegerToFloat: Op = {
  shape: (node) => productShape(node, required(node, 2)),
  lower: (g, node) => {
    const product = g.matMulInteger(required(node, 0), required(node, 1), node.inputs[4], node.inputs[5]);
    return [scaled(g, product, required(node, 2), required(node, 3), node.inputs[6])];
  },
};

/** As `MatMulIntegerToFloat`, of floats A that are rounded to 8 bits in the range that they have. */
export const DynamicQuantizeMatMul: Op = {
  shape: (node) => productShape(node, required(node, 0)),
  lower: (g, node) => {
    const [rounded, scale, zero] = g.node("DynamicQuantizeLinear", [required(node, 0)], {}, { outputs: 3 });
    const product = g.matMulInteger(rounded, required(node, 1), zero, node.inputs[3]);
    return [scaled(g, product, scale as Value, required(node, 2), node.inputs[4])];
  },
};

/** [..., rows, columns], of the type of `like`. */
function productShape(node: NodeView, { dtype }: Value): ValueType[] {
  const [a, b] = [required(node, 0), required(node, 1)];
  const batch = broadcastShapes([a.shape.slice(0, -2), b.shape.slice(0, -2)], node.node.op);
  return [{ dtype, shape: [...batch, sizeOf(a, -2), sizeOf(b, -1)] }];
}

function scaled(g: Emitter, product: Value, left: Value, right: Value, bias: Value | undefined): Value {
  const y = g.mul(cast(g, product, left.dtype), g.mul(left, right));
  return bias ? g.add(y, bias) : y;
}
