/** Builds graphs op by op: values, nodes and names, with the ops as methods. */
import { ModelError } from "../errors/errors.ts";
import {
  type Attribute,
  type Attributes,
  describeNode,
  float,
  type Graph,
  getValue,
  int,
  ints,
  type Node,
  nodeName,
  prune,
  string,
  type Value,
} from "../onnx/graph.ts";
import { nodeError } from "../onnx/node-error.ts";
import { type DType, elementCount, int64, isFloat, type Tensor, tensorOf } from "../onnx/tensor.ts";
import type { AttributeInputs, Emitter, Operand } from "./emitter.ts";
import { domainOf, everydayOps, type FurtherOps, opOf, rulesOf, withRules } from "./find-op.ts";
import type { Operators } from "./operators.ts";
import { type Range, rangeOf } from "./range.ts";
import type { NodeView } from "./view.ts";

/** The opset of every graph that forwardgrad emits. */
export const emittedOpset = 24;

export interface GraphBuilder extends Operators {}

/**
 * Builds a graph op by op; every value knows its shape at once, from the op's shape rule.
 *
 * Each supported op is a method in camel case (`Operators`): operands first (values, numbers for scalar constants, arrays
 * of integers for int64 constants), attributes last.
 *
 * @example
 * const g = new GraphBuilder("rosenbrock");
 * const x = g.parameter("x", float64([0, 0]));
 * const head = g.slice(x, [0], [1]);
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: one method is defined for each op with rules
export class GraphBuilder implements Emitter {
  readonly #name: string;
  readonly #inputs: Value[] = [];
  readonly #parameters: string[] = [];
  readonly #nodes: Node[] = [];
  readonly #initializers = new Map<string, Tensor>();
  readonly #values = new Map<string, Value>();
  readonly #shared = new Map<string, Value>();
  readonly #origins = new Map<string, Value>();
  readonly #producers = new Map<string, Node>();
  readonly #ranges = new Map<string, Range>();
  /** Inputs that are fed with data: those of the graph that this one starts with. */
  readonly #data = new Set<string>();
  /** Names of values and of nodes: both must be unique in a file. */
  readonly #taken = new Set<string>();
  readonly #counters = new Map<string, number>();
  #path = "";

  /** The rules that it knows beyond those of the everyday ops. */
  readonly further: FurtherOps;

  static {
    // The builder has its own way to make a constant.
    for (const op of Object.keys(everydayOps))
      if (op !== "Constant") defineMethod(GraphBuilder.prototype, op);
  }

  /**
   * Starts empty, or with everything that `start` contains.
   *
   * @param further rules of ops beyond the everyday ones; default: those that `start` brings
   */
  constructor(name: string, start?: Graph, further: FurtherOps = start ? rulesOf(start) : {}) {
    this.#name = name;
    this.further = further;
    for (const op of Object.keys(further)) defineMethod(this, op);
    if (start) {
      this.#inputs.push(...start.inputs);
      this.#parameters.push(...start.parameters);
      for (const node of start.nodes) this.#push(node);
      for (const { name } of start.inputs) if (!start.parameters.includes(name)) this.#data.add(name);
      for (const [key, tensor] of start.initializers) this.#initializers.set(key, tensor);
      for (const [key, value] of start.values) this.#values.set(key, value);
      for (const name of [...start.values.keys(), ...start.nodes.map((node) => node.name)])
        this.#taken.add(name);
    }
  }

  /** A graph input. */
  input(name: string, dtype: DType, shape: readonly number[]): Value {
    const value = this.#declare(name, dtype, shape);
    this.#inputs.push(value);
    return value;
  }

  /** A trainable parameter: an initializer with this name and the tensor's shape [...]. */
  parameter(name: string, tensor: Tensor): Value {
    this.#parameters.push(name);
    return this.#initializer(name, tensor);
  }

  /** An initializer with this name and the tensor's shape [...] that is not trained, such as running statistics. */
  buffer(name: string, tensor: Tensor): Value {
    return this.#initializer(name, tensor);
  }

  constant(tensor: Tensor): Value {
    return this.#initializer(this.#freshName("constant"), tensor);
  }

  scalar(dtype: DType, value: number, rank = 0): Value {
    const shape = new Array<number>(rank).fill(1);
    const key = `${dtype} ${Object.is(value, -0) ? "-0" : value} ${rank}`;
    return this.#share(key, () => tensorOf(dtype, [value], shape));
  }

  constantOf(value: Value | undefined): Tensor | undefined {
    const node = value && this.#producers.get(value.name);
    // Lowered ops leave copies under the names that the file gave.
    if (node?.op === "Identity") return this.constantOf(this.#values.get(node.inputs[0] ?? ""));
    return value && this.#initializers.get(value.name);
  }

  /**
   * Names the nodes that `build` appends "path/…": a named block. Parameters keep the names they are given.
   *
   * @example
   * const y = g.block("layer1", () => g.relu(g.matMul(x, weight)));
   */
  block<Result>(path: string, build: () => Result): Result {
    const outer = this.#path;
    this.#path = `${outer}${path}/`;
    try {
      return build();
    } finally {
      this.#path = outer;
    }
  }

  /** A value that exists already, by name. */
  value(name: string): Value {
    return getValue({ name: this.#name, values: this.#values, inputs: this.#inputs, outputs: [] }, name);
  }

  emit(op: string, operands: readonly Operand[], attributes: AttributeInputs = {}): Value {
    return this.node(op, operands, attributes)[0];
  }

  node(
    op: string,
    operands: readonly Operand[],
    attributes: AttributeInputs = {},
    options: { readonly name?: string; readonly outputs?: number } = {},
  ): [first: Value, ...others: Value[]] {
    const inputs = this.#resolve(op, operands);
    const names = inputs.map((input) => input?.name ?? "");
    while (names.at(-1) === "") names.pop();
    const name = options.name ?? this.#freshName(`${this.#path}${op}`);
    const count = options.outputs ?? 1;
    // A node and its only output may share a name: files keep the two apart.
    const outputs =
      count === 1 && options.name === undefined
        ? [name]
        : Array.from({ length: count }, (_, index) => this.#freshName(count > 1 ? `${name}/${index}` : name));
    const bare = { name, op, domain: domainOf(op), inputs: names, outputs, attributes: {} };
    const rules = opOf(bare, emittedOpset, this.further);
    const node: Node = { ...bare, attributes: typedAttributes(bare, attributes, rules.defaults ?? {}) };
    const view: NodeView = { node, inputs, constant: (index) => this.constantOf(inputs[index]) };
    const types = rules.shape(view);
    if (types.length !== count) {
      throw new ModelError(
        `${describeNode(node)} has ${types.length} outputs, received a request for ${count}.`,
        { node: nodeName(node) },
      );
    }
    this.#push(node);
    const declared = types.map((type, index) =>
      this.#declare(outputs[index] as string, type.dtype, type.shape),
    );
    if (op === "Reshape" && inputs[0]) this.#origins.set(outputs[0] as string, this.origin(inputs[0]));
    return declared as [first: Value, ...others: Value[]];
  }

  origin(value: Value): Value {
    return this.#origins.get(value.name) ?? value;
  }

  rangeOf(value: Value): Range {
    const producer = (name: string) => {
      const node = this.#producers.get(name);
      return node && { view: this.#view(node), rule: opOf(node, emittedOpset, this.further).range };
    };
    const source = {
      producer,
      constantOf: (one: Value) => this.constantOf(one),
      isData: (name: string) => this.#data.has(name),
    };
    return rangeOf(value, source, this.#ranges);
  }

  producer(value: Value): NodeView | undefined {
    const node = this.#producers.get(value.name);
    return node && this.#view(node);
  }

  #view(node: Node): NodeView {
    const inputs = node.inputs.map((name) => (name === "" ? undefined : this.#values.get(name)));
    return { node, inputs, constant: (index) => this.constantOf(inputs[index]) };
  }

  #push(node: Node): void {
    this.#nodes.push(node);
    for (const output of node.outputs) if (output !== "") this.#producers.set(output, node);
  }

  /** Appends a node as it is, under its own names. Its outputs must have these types. */
  append(node: Node, outputs: readonly Value[]): void {
    this.#push(node);
    for (const output of outputs)
      if (output.name !== "") this.#declare(output.name, output.dtype, output.shape);
  }

  /** The nodes appended after the first `count`. */
  nodesAfter(count: number): Node[] {
    return this.#nodes.slice(count);
  }

  /** How many nodes there are so far. */
  get nodeCount(): number {
    return this.#nodes.length;
  }

  /** Everything built so far, without outputs. */
  snapshot(): Graph {
    const graph = {
      name: this.#name,
      opset: emittedOpset,
      inputs: [...this.#inputs],
      outputs: [],
      parameters: [...this.#parameters],
      nodes: [...this.#nodes],
      initializers: new Map(this.#initializers),
      values: new Map(this.#values),
    };
    return withRules(graph, this.further);
  }

  /** The finished graph with these outputs, which get the given names; nodes that none of them needs are left out. */
  build(outputs: Readonly<Record<string, Value>>): Graph {
    // An Identity keeps inputs, parameters and values with two names as they are.
    const named = Object.entries(outputs).map(([name, value]) =>
      value.name === name ? value : this.#rename(value, name),
    );
    return prune(this.snapshot(), named);
  }

  #initializer(name: string, tensor: Tensor): Value {
    const value = this.#declare(name, tensor.dtype, tensor.shape);
    this.#initializers.set(name, tensor);
    return value;
  }

  #rename(value: Value, name: string): Value {
    const existing = this.#values.get(name);
    if (existing)
      throw new ModelError(
        `The graph '${this.#name}' already has a value named '${name}'; choose another name.`,
      );
    const node: Node = {
      name: `${name}/output`,
      op: "Identity",
      domain: "",
      inputs: [value.name],
      outputs: [name],
      attributes: {},
    };
    this.#push(node);
    return this.#declare(name, value.dtype, value.shape);
  }

  /** Plain numbers become constants of the type of the value they meet. */
  #resolve(op: string, operands: readonly Operand[]): (Value | undefined)[] {
    const values = operands.filter((operand) => typeof operand === "object" && "dtype" in operand);
    const partner =
      values.find((value) => isFloat(value.dtype)) ?? values.find((value) => value.dtype !== "bool");
    // Beside last axes of size 1, engines go through a value number by number unless the scalar has as many.
    const rank = broadcasting.has(op) && partner?.shape.at(-1) === 1 ? partner.shape.length : 0;
    return operands.map((operand) => {
      if (operand === undefined) return undefined;
      if (typeof operand === "number") {
        const dtype = partner?.dtype ?? (op === "Where" ? "float32" : undefined);
        if (!dtype)
          throw new ModelError(
            `${op}: expected at least one value among its operands, received only numbers.`,
            { source: op },
          );
        return this.scalar(dtype, operand, rank);
      }
      if ("dtype" in operand) return operand;
      return this.#share(`int64 [${operand.join()}]`, () => int64(operand));
    });
  }

  #share(key: string, make: () => Tensor): Value {
    const found = this.#shared.get(key);
    if (found) return found;
    const value = this.constant(make());
    this.#shared.set(key, value);
    return value;
  }

  #declare(name: string, dtype: DType, shape: readonly number[]): Value {
    if (this.#values.has(name)) {
      throw new ModelError(
        `The graph '${this.#name}' already has a value named '${name}'; choose another name.`,
      );
    }
    if (!Number.isSafeInteger(elementCount(shape)) || shape.some((size) => size < 0)) {
      throw new ModelError(
        `The value '${name}' has the shape [${shape.join(", ")}], expected whole sizes from 0.`,
      );
    }
    const value: Value = { name, dtype, shape };
    this.#values.set(name, value);
    this.#taken.add(name);
    return value;
  }

  #freshName(stem: string): string {
    let name = stem;
    let counter = this.#counters.get(stem) ?? 0;
    while (this.#taken.has(name) || name === "constant" || name in everydayOps || name in this.further)
      name = `${stem}_${++counter}`;
    this.#counters.set(stem, counter);
    this.#taken.add(name);
    return name;
  }
}

const broadcasting = new Set(["Add", "Div", "Equal", "Greater", "Less", "Max", "Min", "Mul", "Sub"]);

/** The name of an op's method: `Gemm` is gemm, `RMSNormalization` rmsNormalization, `GRU` gru. */
export function methodName(op: string): string {
  return op.replace(/^[A-Z]+(?=[A-Z][a-z])|^[A-Z]+$|^[A-Z]/, (capitals) => capitals.toLowerCase());
}

function defineMethod(builder: GraphBuilder, op: string): void {
  Object.defineProperty(builder, methodName(op), { value: operatorMethod(op) });
}

/** The method of an op: operands, of which the last may be left out, then attributes. */
function operatorMethod(op: string) {
  return function (this: GraphBuilder, ...given: readonly (Operand | AttributeInputs)[]): Value | Value[] {
    const last = given.at(-1);
    const attributes = isAttributes(last) ? last : {};
    const operands = (attributes === last ? given.slice(0, -1) : given) as readonly Operand[];
    // The ops whose every output is wanted.
    if (op === "Split")
      return this.node(op, operands, attributes, { outputs: partCount(operands, attributes) });
    if (op === "TopK") return this.node(op, operands, attributes, { outputs: 2 });
    return this.emit(op, operands, attributes);
  };
}

function isAttributes(given: Operand | AttributeInputs): given is AttributeInputs {
  return typeof given === "object" && !Array.isArray(given) && !("dtype" in given);
}

/** How many parts a Split makes: one for each size listed, or `num_outputs`. */
function partCount([, sizes]: readonly Operand[], { num_outputs }: AttributeInputs): number {
  if (Array.isArray(sizes)) return sizes.length;
  return typeof num_outputs === "number" ? num_outputs : 1;
}

function typedAttributes(
  node: Node,
  given: AttributeInputs,
  defaults: Attributes,
): Record<string, Attribute> {
  const typed: Record<string, Attribute> = {};
  for (const [name, value] of Object.entries(given)) {
    if (typeof value === "string") typed[name] = string(value);
    else if (typeof value === "number")
      typed[name] = defaults[name]?.type === "float" ? float(value) : int(wholeNumber(node, name, value));
    else if ("type" in value) typed[name] = value;
    else typed[name] = ints(value);
  }
  return typed;
}

function wholeNumber(node: Node, name: string, value: number): number {
  if (Number.isInteger(value)) return value;
  throw nodeError(node, `attribute '${name}' must be a whole number, received ${value}.`);
}
