/** Activation functions, alone or with the bias before them. */
import type { Value } from "../../onnx/graph.ts";
import type { Emitter } from "../emitter.ts";
import type { Op } from "../op.ts";
import { required, sameShape } from "../shapes.ts";
import { floatAttribute } from "../view.ts";

/** x Φ(x) */
export const Gelu: Op = { shape: sameShape, lower: (g, node) => [g.gelu(required(node, 0))] };

/** gelu(x + b) */
export const BiasGelu: Op = {
  shape: sameShape,
  lower: (g, node) => [g.gelu(g.add(required(node, 0), required(node, 1)))],
};

/** gelu(x + b) by its approximation with tanh; the bias may be left out. */
export const FastGelu: Op = {
  shape: sameShape,
  lower: (g, node) => [g.gelu(plus(g, required(node, 0), node.inputs[1]), { approximate: "tanh" })],
};

/** x σ(αx) */
export const QuickGelu: Op = {
  shape: sameShape,
  lower: (g, node) => {
    const x = required(node, 0);
    return [g.mul(x, g.sigmoid(g.mul(x, Math.fround(floatAttribute(node.node, "alpha", 1.702)))))];
  },
};

function plus(g: Emitter, x: Value, term: Value | undefined): Value {
  return term ? g.add(x, term) : x;
}
