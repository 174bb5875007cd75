/**
 * Which matrices get adapters where nobody says so: the projections to queries and values of attention, as the paper on
 * LoRA and Hugging Face's PEFT have it for BERT, GPT-2, Llama, ViT and their like; elsewhere all that layers multiply by. They
 * are found by what the graph computes, because names of stored tensors are whatever an exporter made of them.
 */
import { type Words, words } from "../../errors/words.ts";
import { consumers, dependents, type Node, producers } from "../../onnx/graph.ts";
import type { Model } from "../../onnx/read-model.ts";
import type { StoredMatrix } from "./stored-matrices.ts";

/** What was chosen. */
export interface DefaultTargets {
  /** Names of stored matrices. */
  readonly names: ReadonlySet<string>;
  /** What they are, in words: "the projections to queries and values of 6 attentions". */
  readonly what: Words;
}

/**
 * The matrices that adapters are made for.
 *
 * @param matrices those that adapters can be made for
 * @returns no names where nothing that is computed reads one
 */
export function defaultTargets(model: Model, matrices: readonly StoredMatrix[]): DefaultTargets {
  const known = new Set(matrices.map(({ name }) => name));
  for (const name of model.head?.parameters ?? []) known.delete(name);
  const find = tracer(model, known);
  const found = model.nodes.map((node) => find.projections(node)).filter((names) => names.length > 0);
  if (found.length > 0) {
    const [one] = found;
    const many = found.length === 1 ? "one attention" : `${found.length} attentions`;
    const isJoint = found.every((names) => names.length === 1);
    const what = isJoint
      ? words`the matrices that make queries, keys and values at once, of ${many}`
      : words`the projections to queries and values of ${many}`;
    if (one) return { names: new Set(found.flat()), what };
  }
  const layers = new Set(model.nodes.flatMap((node) => find.factors(node)));
  const all = layers.size > 0 ? layers : known;
  return { names: all, what: words`all that its layers multiply by: it has no attention` };
}

/** Ops that multiply by a stored matrix, kernel or recurrent weights. */
const products =
  /^(MatMul|Gemm|FusedMatMul|TransposeMatMul|FusedGemm|MatMulNBits|MatMulInteger|(Fused|Nhwc)?Conv|ConvInteger|ConvTranspose|Einsum|RNN|GRU|LSTM|Attention)$/;

/** Ops whose other inputs say where, and not what. */
const ofFirst =
  /^(Reshape|Transpose|Squeeze|Unsqueeze|Flatten|Expand|Slice|Split|Gather|GatherND|GatherElements|Pad|Tile|Cast|CastLike|Identity|Dropout|QuantizeLinear|DequantizeLinear|DynamicQuantizeLinear|RotaryEmbedding|Clip)$/;

/** Ops behind which is something else than the value that is followed. */
const ends = /^(Shape|Size|Softmax|LogSoftmax|Range|ConstantOfShape|Less|Greater|Equal|And|Or|Not|ArgMax)$/;

function tracer(model: Model, known: ReadonlySet<string>) {
  const computedBy = producers(model);
  const readBy = consumers(model);
  const onData = dependents(
    model,
    model.inputs.map(({ name }) => name).filter((name) => !model.initializers.has(name)),
  );

  /** The stored matrices that a value without data is made of. */
  const stored = (name: string, seen = new Set<string>()): string[] => {
    if (known.has(name)) return [name];
    if (seen.has(name) || onData.has(name)) return [];
    seen.add(name);
    return (computedBy.get(name)?.inputs ?? []).flatMap((input) => stored(input, seen));
  };

  /** The stored matrices that a node multiplies by. */
  const factors = ({ op, inputs }: Node): string[] =>
    products.test(op) && inputs.some((name) => onData.has(name))
      ? [...new Set(inputs.flatMap((name) => (onData.has(name) ? [] : stored(name))))]
      : [];

  /** What a node computes its result of, along the value that is followed. */
  const sourcesOf = (node: Node, name: string): readonly string[] => {
    if (ends.test(node.op)) return [];
    if (node.op === "DynamicQuantizeLinear" && node.outputs[0] !== name) return [];
    const sources = ofFirst.test(node.op) ? node.inputs.slice(0, 1) : node.inputs;
    return sources.filter((each) => onData.has(each));
  };

  /** The nearest nodes before a value of which `isWanted` says so; behind them nothing is looked at. */
  const before = (start: string, isWanted: (node: Node) => boolean): Node[] => {
    const found = new Set<Node>();
    const seen = new Set([start]);
    for (let front = [start]; front.length > 0 && found.size === 0; ) {
      const next: string[] = [];
      for (const name of front) {
        const node = computedBy.get(name);
        if (!node) continue;
        if (isWanted(node)) found.add(node);
        else next.push(...sourcesOf(node, name).filter((each) => !seen.has(each)));
      }
      for (const name of next) seen.add(name);
      front = next;
    }
    return [...found];
  };

  const isProjection = (node: Node) => factors(node).length > 0;
  const projectionsOf = (name: string | undefined): string[] =>
    name && onData.has(name) ? before(name, isProjection).flatMap(factors) : [];
  /** Whether a node multiplies two values that data decide. */
  const isOfData = ({ op, inputs }: Node) =>
    products.test(op) && inputs.filter((name) => onData.has(name)).length > 1 && op !== "Attention";

  /** The products behind a value in which it is one factor. */
  const after = (start: string): Node[] => {
    const passing =
      /^(Dropout|Cast|Where|Mul|Div|Reshape|Identity|Transpose|\w*[qQ]uantizeLinear|Unsqueeze)$/;
    const seen = new Set([start]);
    let front = [start];
    while (front.length > 0) {
      const nodes = front.flatMap((name) => readBy.get(name) ?? []);
      const found = nodes.filter(isOfData);
      if (found.length > 0) return found;
      front = nodes
        .filter(({ op, inputs }) => passing.test(op) && front.some((name) => inputs.includes(name)))
        .flatMap(({ outputs }) => outputs)
        .filter((name) => name !== "" && !seen.has(name));
      for (const name of front) seen.add(name);
    }
    return [];
  };

  /** Of attention that is written out: softmax(q kᵀ) v. */
  const around = ({ inputs: [scores = ""], outputs: [weights = ""] }: Node): string[] => {
    const above = before(scores, isOfData);
    const below = after(weights);
    if (above.length === 0 || below.length === 0) return [];
    const reached = dependents(model, [weights]);
    const queries = above.flatMap(({ inputs }) => projectionsOf(inputs[0]));
    const values = below.flatMap(({ inputs }) =>
      inputs.filter((name) => !reached.has(name)).flatMap(projectionsOf),
    );
    return [...queries, ...values];
  };

  /** The matrices that make queries and values for an attention, where a node is one. */
  const projections = (node: Node): string[] => {
    const { op, domain, inputs } = node;
    const [first, second, third] = inputs;
    if (op === "Attention" && domain !== "") return second && onData.has(first ?? "") ? stored(second) : [];
    const isFused = /^(MultiHeadAttention|GroupQueryAttention|Attention)$/.test(op);
    // Keys and values in one stand in the place of the keys.
    const found = isFused
      ? [...projectionsOf(first), ...projectionsOf(third || second)]
      : op === "Softmax"
        ? around(node)
        : [];
    return [...new Set(found)];
  };
  return { factors, projections };
}
