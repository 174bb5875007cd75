/** Nonlinearities between the layers of models. */
import type { Value } from "../onnx/graph.ts";
import type { GraphBuilder } from "../ops/builder.ts";

/** Nonlinearities between layers, by name. */
export const activations = {
  relu: (g, x) => g.relu(x),
  tanh: (g, x) => g.tanh(x),
  sigmoid: (g, x) => g.sigmoid(x),
  "leaky-relu": (g, x) => g.leakyRelu(x),
  elu: (g, x) => g.elu(x),
  softplus: (g, x) => g.softplus(x),
  gelu: (g, x) => g.gelu(x),
  "gelu-tanh": (g, x) => g.gelu(x, { approximate: "tanh" }),
  none: (_, x) => x,
} satisfies Record<string, (g: GraphBuilder, x: Value) => Value>;

/** Name of a nonlinearity in `activations`. */
export type ActivationName = keyof typeof activations;
