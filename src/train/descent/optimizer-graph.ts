/** The optimizers as graphs, for parameters that stay where graphs are computed. */
import type { Differentiable } from "../../objective/objective.ts";
import type { Graph, Value } from "../../onnx/graph.ts";
import { GraphBuilder } from "../../ops/builder.ts";
import type { Emitter } from "../../ops/emitter.ts";
import type { AdaptiveRule, MomentumRule } from "../../optim/optimizer.ts";

/** Arrays of an optimizer's state that each parameter has one of: those that the graph reads and writes, by their prefixes. */
export function stateOf(rule: MomentumRule | AdaptiveRule): readonly string[] {
  if ("beta1" in rule) return ["mean", "square"];
  return rule.momentum === 0 ? [] : ["velocity"];
}

/** Names of the graph's inputs and outputs: `parameter/…`, `gradient/…`, and the state's own. */
export const stepName = (what: string, parameter: string) => `${what}/${parameter}`;

/**
 * One step as a graph: outputs are the moved parameters and the state after the step, `next/<input>` for each input that
 * they replace. Further inputs are numbers []: `scale`, what a gradient is multiplied by first; for momentum `rate`, for Adam and AdamW
 * what `AdaptiveRule.begin` says, `size`, `correction` and `keep`.
 */
export function optimizerGraph(
  rule: MomentumRule | AdaptiveRule,
  parameters: Differentiable["parameters"],
): Graph {
  const g = new GraphBuilder("optimizer");
  const number = (name: string) => g.input(name, "float32", []);
  const move = "beta1" in rule ? adapted(g, rule, number) : accelerated(g, rule, number);
  const scale = number("scale");
  const outputs: Record<string, Value> = {};
  for (const [name, { shape }] of Object.entries(parameters)) {
    const input = (what: string) => g.input(stepName(what, name), "float32", shape);
    const value = input("parameter");
    const gradient = g.mul(input("gradient"), scale);
    const moved = move(value, gradient, stateOf(rule).map(input));
    for (const [index, what] of ["parameter", ...stateOf(rule)].entries())
      outputs[`next/${stepName(what, name)}`] = moved[index] as Value;
  }
  return g.build(outputs);
}

/** A parameter and its state after a step. */
type Move = (value: Value, gradient: Value, state: readonly Value[]) => readonly Value[];

/** g ← g + λθ, v ← μv + g, θ ← θ − lr·v, or with Nesterov's look-ahead θ ← θ − lr·(g + μv). */
function accelerated(
  g: Emitter,
  { momentum, nesterov, weightDecay }: MomentumRule,
  number: (name: string) => Value,
): Move {
  const rate = number("rate");
  return (value, gradient, [velocity]) => {
    const slope = weightDecay === 0 ? gradient : g.add(gradient, g.mul(value, weightDecay));
    const speed = velocity && g.add(g.mul(velocity, momentum), slope);
    const direction = !speed ? slope : nesterov ? g.add(slope, g.mul(speed, momentum)) : speed;
    return [g.sub(value, g.mul(direction, rate)), ...(speed ? [speed] : [])];
  };
}

/** g ← g + λθ, m ← β₁m + (1 − β₁)g, s ← β₂s + (1 − β₂)g², θ ← keep·θ − size·m/(√s/correction + ε). */
function adapted(
  g: Emitter,
  { beta1, beta2, epsilon, l2 }: AdaptiveRule,
  number: (name: string) => Value,
): Move {
  const [size, correction, keep] = ["size", "correction", "keep"].map(number) as [Value, Value, Value];
  return (value, gradient, [mean, square]) => {
    const slope = l2 === 0 ? gradient : g.add(gradient, g.mul(value, l2));
    const m = g.add(g.mul(mean as Value, beta1), g.mul(slope, 1 - beta1));
    const s = g.add(g.mul(square as Value, beta2), g.mul(g.mul(slope, slope), 1 - beta2));
    const root = g.add(g.div(g.sqrt(s), correction), epsilon);
    return [g.sub(g.mul(value, keep), g.div(g.mul(m, size), root)), m, s];
  };
}

/** Output `square` []: the squared length of all gradients together, which is finite where their numbers are, and below 2¹²⁸. */
export function squareGraph(parameters: Differentiable["parameters"]): Graph {
  const g = new GraphBuilder("length");
  const squares = Object.entries(parameters).map(([name, { shape }]) => {
    const gradient = g.input(stepName("gradient", name), "float32", shape);
    const square = g.mul(gradient, gradient);
    return shape.length === 0 ? square : g.reduceSum(square, [...shape.keys()], { keepdims: 0 });
  });
  return g.build({ square: squares.reduce((sum, each) => g.add(sum, each)) });
}
