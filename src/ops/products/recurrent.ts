/** Recurrent layers, unrolled over the sequence. */
import { int, string, type Value } from "../../onnx/graph.ts";
import { nodeError, unsupportedNode } from "../../onnx/node-error.ts";
import { toNumbers } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import type { Op } from "../op.ts";
import { reshape, transpose, zerosLike } from "../rules.ts";
import { required } from "../shapes.ts";
import { intAttribute, type NodeView, stringAttribute, stringsAttribute } from "../view.ts";

/** h′ = f(W x + R h + b); f = tanh. Unrolled over the sequence. */
export const RNN: Op = recurrent({
  gates: 1,
  activations: ["Tanh"],
  step: (g, { recurrence, activate }, x, { hidden }) => ({
    hidden: activate(0, g.gemm(hidden, recurrence, x, { transB: 1 })),
  }),
});

/**
 * z = f(…), r = f(…), h̃ = g(W x + R (r ⊙ h) + b), or with linear_before_reset g(W x + b_W + r ⊙ (R h + b_R));
 * h′ = (1 − z) ⊙ h̃ + z ⊙ h; f = σ, g = tanh. Unrolled over the sequence.
 */
export const GRU: Op = recurrent({
  gates: 3,
  activations: ["Sigmoid", "Tanh"],
  step: (g, { recurrence, recurrentBias, activate, size }, x, { hidden }) => {
    const gate = (sum: Value | undefined) => activate(0, sum as Value);
    const next = (candidate: Value, update: Value) => ({
      hidden: g.add(candidate, g.mul(update, g.sub(hidden, candidate))),
    });
    const ofGates = (value: Value) => columns(g, value, 0, 2 * size);
    const ofCandidate = (value: Value) => columns(g, value, 2 * size, 3 * size);
    if (recurrentBias) {
      const product = g.gemm(hidden, recurrence, recurrentBias, { transB: 1 });
      const [update, reset] = parts(g, g.add(ofGates(x), ofGates(product)), 2);
      const memory = g.mul(gate(reset), ofCandidate(product));
      const candidate = activate(1, g.add(ofCandidate(x), memory));
      return next(candidate, gate(update));
    }
    const rows = (start: number, end: number) => g.slice(recurrence, [start], [end], [0]);
    const sums = g.gemm(hidden, rows(0, 2 * size), ofGates(x), { transB: 1 });
    const [update, reset] = parts(g, sums, 2);
    const kept = g.mul(gate(reset), hidden);
    const sum = g.gemm(kept, rows(2 * size, 3 * size), ofCandidate(x), { transB: 1 });
    return next(activate(1, sum), gate(update));
  },
});

/**
 * i = f(… + P_i ⊙ c), o = f(… + P_o ⊙ c′), f = f(… + P_f ⊙ c), c̃ = g(…), each from W x + R h + b;
 * c′ = f ⊙ c + i ⊙ c̃, h′ = o ⊙ h(c′); f = σ, g = h = tanh. Unrolled over the sequence.
 */
export const LSTM: Op = recurrent({
  gates: 4,
  activations: ["Sigmoid", "Tanh", "Tanh"],
  step: (g, { recurrence, peepholes, activate }, x, { hidden, cell }) => {
    const sums = parts(g, g.gemm(hidden, recurrence, x, { transB: 1 }), 4);
    const gate = (index: number, state: Value) => {
      const [sum, peephole] = [sums[index] as Value, peepholes?.[index]];
      return activate(0, peephole ? g.add(sum, g.mul(peephole, state)) : sum);
    };
    const before = cell as Value;
    const input = gate(0, before);
    const forget = gate(2, before);
    const next = g.add(g.mul(forget, before), g.mul(input, activate(1, sums[3] as Value)));
    const output = gate(1, next);
    return { hidden: g.mul(output, activate(2, next)), cell: next };
  },
});

interface State {
  /** [batch, hidden] */
  readonly hidden: Value;
  readonly cell?: Value;
}

/** One direction of a layer. */
interface Layer {
  /** R: [gates · hidden, hidden] */
  readonly recurrence: Value;
  /** b_R where it cannot be added to the input's part beforehand: [gates · hidden] */
  readonly recurrentBias?: Value;
  readonly peepholes?: readonly Value[];
  readonly size: number;
  /** The activation function in this place of the op's list. */
  readonly activate: (index: number, value: Value) => Value;
}

interface Cell {
  readonly gates: number;
  /** The standard's default activations. */
  readonly activations: readonly string[];
  /** The next state; x is W x + b of this step, [batch, gates · hidden]. */
  readonly step: (g: Emitter, layer: Layer, x: Value, state: State) => State;
}

/**
 * Op over X [steps, batch, inputs] with W [directions, gates · hidden, inputs], R [directions, gates · hidden, hidden],
 * b [directions, 2 · gates · hidden]; outputs Y [steps, directions, batch, hidden], the last h and, for LSTM, the last c.
 * Behind the end of a shorter sequence, Y is 0 and the last state stays.
 */
function recurrent(cell: Cell): Op {
  return {
    shape: (node) => {
      const { dtype } = required(node, 0);
      const { steps, batch, directions, size } = sizesOf(node);
      const last = { dtype, shape: [directions.length, batch, size] };
      return [{ dtype, shape: [steps, directions.length, batch, size] }, last, last].slice(
        0,
        node.node.outputs.length,
      );
    },
    defaults: {
      direction: string("forward"),
      hidden_size: int(0),
      layout: int(0),
      linear_before_reset: int(0),
      input_forget: int(0),
    },
    lower: (g, node) => {
      refuseUnsupported(node, cell);
      const { directions } = sizesOf(node);
      const runs = directions.map((isReverse, direction) => unroll(g, node, cell, direction, isReverse));
      const join = (values: readonly Value[], axis: number) =>
        values.length === 1 ? (values[0] as Value) : g.concat(...values, { axis });
      const last = (pick: (state: State) => Value | undefined) => {
        const values = runs.flatMap(({ final }) => pick(final) ?? []);
        const byDirection = values.map((value) => reshape(g, value, [1, ...value.shape]));
        return join(byDirection, 0);
      };
      const byDirection = runs.map(({ states }) => {
        const bySteps = states.map((value) => reshape(g, value, [1, 1, ...value.shape]));
        return join(bySteps, 0);
      });
      const all = join(byDirection, 1);
      const hidden = last((state) => state.hidden);
      return runs[0]?.final.cell ? [all, hidden, last((state) => state.cell)] : [all, hidden];
    },
  };
}

/** One direction: the hidden states in the order of the sequence, and the state after the last step taken. */
function unroll(g: Emitter, node: NodeView, cell: Cell, direction: number, isReverse: boolean) {
  const { steps, batch, inputs, directions, size } = sizesOf(node);
  const own = (index: number) => {
    const value = node.inputs[index];
    return value && direct(g, value, direction, directions.length);
  };
  const wide = cell.gates * size;
  const biases = own(3);
  const splitBias = intAttribute(node.node, "linear_before_reset", 0) === 1;
  const [ofInput, ofState] = biases ? parts(g, biases, 2) : [];
  const bias = ofInput && ofState && !splitBias ? g.add(ofInput, ofState) : ofInput;
  const peepholes = own(7);
  const functions = activationsOf(node, cell).slice(direction * cell.activations.length);
  const layer: Layer = {
    recurrence: own(2) as Value,
    recurrentBias: splitBias
      ? (ofState ?? zerosLike(g, { dtype: required(node, 0).dtype, shape: [wide] }))
      : undefined,
    peepholes: peepholes && parts(g, peepholes, 3),
    size,
    activate: (position, value) => (functions[position] as Activation)(g, value),
  };
  // By example first, so that the rows of the product over all steps belong to one example after the other.
  const x = reshape(g, transpose(g, required(node, 0), [1, 0, 2]), [batch * steps, inputs]);
  const sums = reshape(g, g.gemm(x, own(1) as Value, bias, { transB: 1 }), [batch, steps, wide]);
  const each = parts(g, sums, steps, 1).map((value) => reshape(g, value, [batch, wide]));
  const start = (index: number) =>
    own(index) ?? zerosLike(g, { dtype: required(node, 0).dtype, shape: [batch, size] });
  let final: State = cell.gates === 4 ? { hidden: start(5), cell: start(6) } : { hidden: start(5) };
  const lengths = lengthsOf(g, node);
  const states = [...each];
  for (const step of isReverse ? [...each.keys()].reverse() : each.keys()) {
    const next = cell.step(g, layer, each[step] as Value, final);
    const isInside = lengths && g.less(step, lengths);
    final = isInside ? kept(g, isInside, next, final) : next;
    states[step] = isInside ? g.where(isInside, next.hidden, 0) : next.hidden;
  }
  return { states, final };
}

/** Numbers of steps [batch, 1]; undefined where all examples have them all. */
function lengthsOf(g: Emitter, node: NodeView): Value | undefined {
  const lengths = node.inputs[4];
  const { steps, batch } = sizesOf(node);
  const known = node.constant(4);
  if (!lengths || (known && toNumbers(known).every((length) => length === steps))) return undefined;
  return reshape(g, lengths, [batch, 1]);
}

/** The next state for sequences that go on, the last one for those that have ended or, in reverse, not begun. */
function kept(g: Emitter, isInside: Value, next: State, last: State): State {
  const choose = (a: Value, b: Value) => g.where(isInside, a, b);
  const hidden = choose(next.hidden, last.hidden);
  return next.cell && last.cell ? { hidden, cell: choose(next.cell, last.cell) } : { hidden };
}

/** What belongs to one direction, without that axis. */
function direct(g: Emitter, value: Value, direction: number, count: number): Value {
  const own = count === 1 ? value : g.slice(value, [direction], [direction + 1], [0]);
  return reshape(g, own, value.shape.slice(1));
}

/** Equal parts along an axis; default: the last. */
function parts(g: Emitter, value: Value, count: number, axis = value.shape.length - 1): Value[] {
  return count === 1 ? [value] : g.split(value, { axis, num_outputs: count });
}

/** Columns of a matrix. */
function columns(g: Emitter, value: Value, start: number, end: number): Value {
  return g.slice(value, [start], [end], [1]);
}

function sizesOf(node: NodeView) {
  const [steps = 0, batch = 0, inputs = 0] = required(node, 0).shape;
  const direction = stringAttribute(node.node, "direction", "forward");
  const reverse = { forward: [false], reverse: [true], bidirectional: [false, true] }[direction];
  if (!reverse) {
    throw nodeError(node.node, `direction '${direction}', expected forward, reverse or bidirectional.`);
  }
  return { steps, batch, inputs, directions: reverse, size: required(node, 2).shape[2] as number };
}

type Activation = (g: Emitter, value: Value) => Value;

const supportedActivations: Readonly<Record<string, Activation>> = {
  Relu: (g, value) => g.relu(value),
  Sigmoid: (g, value) => g.sigmoid(value),
  Tanh: (g, value) => g.tanh(value),
};

/** The activations of all directions, one after the other. */
function activationsOf(node: NodeView, cell: Cell): Activation[] {
  const listed = stringsAttribute(node.node, "activations");
  const given = listed.length > 0 ? listed : sizesOf(node).directions.flatMap(() => cell.activations);
  return given.map((name) => {
    const known = Object.entries(supportedActivations).find(
      ([supported]) => supported.toLowerCase() === name.toLowerCase(),
    );
    if (known) return known[1];
    throw unsupportedNode(
      node.node,
      `activation '${name}' is not supported; expected one of ` +
        `${Object.keys(supportedActivations).join(", ")}.`,
    );
  });
}

function refuseUnsupported(node: NodeView, cell: Cell): void {
  const refuse = (what: string, remedy: string) => {
    throw unsupportedNode(node.node, `${what} is not supported; ${remedy}.`);
  };
  if (intAttribute(node.node, "layout", 0) !== 0)
    refuse("layout = 1 (batch first)", "transpose the input and export with layout = 0");
  if (node.node.attributes.clip) refuse("clip", "export without it");
  if (intAttribute(node.node, "input_forget", 0) !== 0) refuse("input_forget", "export without it");
  const count = sizesOf(node).directions.length * cell.activations.length;
  if (activationsOf(node, cell).length !== count) {
    throw nodeError(
      node.node,
      `it lists ${activationsOf(node, cell).length} activations, expected ${count}.`,
    );
  }
}
