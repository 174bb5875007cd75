/** Sums of products over named axes. */
import { formatShape, type Value } from "../../onnx/graph.ts";
import { nodeError } from "../../onnx/node-error.ts";
import { tensorOf } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import type { Op } from "../op.ts";
import { mixed } from "../range.ts";
import { only, reshape, sum } from "../rules.ts";
import { arange, required, sizeOf } from "../shapes.ts";
import { type NodeView, stringAttribute } from "../view.ts";

/** An operand with one index for each of its axes. */
interface Term {
  readonly value: Value;
  readonly indices: readonly string[];
}

/** An equation without ellipsis: every axis has an index, every index a size. */
interface Equation {
  readonly terms: readonly (readonly string[])[];
  readonly result: readonly string[];
  readonly sizes: ReadonlyMap<string, number>;
}

/** dy = Σᵢ einsum(x₁, …, dxᵢ, …): linear in each operand */
export const Einsum: Op = {
  range: mixed,
  shape: (node) => {
    const { result, sizes } = parseEquation(node);
    return [{ dtype: required(node, 0).dtype, shape: result.map((index) => sizes.get(index) as number) }];
  },
  jvp: (g, node, tangents) => {
    const equation = parseEquation(node);
    // Sums of nothing; ONNX Runtime 1.30 does not survive some of the products that they would need.
    if ([...equation.sizes.values()].includes(0)) return [undefined];
    const [stack = ""] = unusedIndices(equation, 1, node);
    const products = tangents.flatMap((tangent, position) => {
      if (!tangent) return [];
      const indices = equation.terms[position] ?? [];
      const terms = equation.terms.map((_, other) =>
        other === position
          ? withoutOnes(g, { value: tangent, indices: [stack, ...indices] }, equation)
          : operand(g, node, equation, other),
      );
      return [contract(g, terms, [stack, ...equation.result])];
    });
    return [sum(g, products)];
  },
  transpose: (g, node, cotangents, index) => {
    const equation = parseEquation(node);
    const target = operand(g, node, equation, index);
    const terms: Term[] = [
      { value: only(cotangents), indices: equation.result },
      ...equation.terms.flatMap((_, other) => (other === index ? [] : [operand(g, node, equation, other)])),
    ];
    // An index that the operand repeats picks a diagonal; its transpose multiplies by an identity matrix.
    const spare = unusedIndices(equation, target.indices.length, node);
    const distinct = target.indices.map((name, position) => {
      if (target.indices.indexOf(name) === position) return name;
      const fresh = spare[position] as string;
      const size = equation.sizes.get(name) as number;
      terms.push({ value: identity(g, target.value, size), indices: [name, fresh] });
      return fresh;
    });
    // An index that stands in this operand alone was summed over: its cotangent repeats.
    const known = distinct.filter((name) => terms.some((term) => term.indices.includes(name)));
    const product = contract(g, terms, known);
    const kept = distinct.map((name, position) =>
      known.includes(name) ? (target.value.shape[position] as number) : 1,
    );
    const spread = reshape(g, product, kept);
    const full = known.length === distinct.length ? spread : g.expand(spread, target.value.shape);
    return reshape(g, full, required(node, index).shape);
  },
};

function contract(g: Emitter, terms: readonly Term[], result: readonly string[]): Value {
  const equation = `${terms.map((term) => term.indices.join("")).join(",")}->${result.join("")}`;
  return g.einsum(...terms.map((term) => term.value), { equation });
}

function operand(g: Emitter, node: NodeView, equation: Equation, index: number): Term {
  return withoutOnes(g, { value: required(node, index), indices: equation.terms[index] ?? [] }, equation);
}

/** Drops the axes of size 1 that broadcast against a larger size: what is left are plain sums of products. */
function withoutOnes(g: Emitter, { value, indices }: Term, { sizes }: Equation): Term {
  const kept = indices.flatMap((name, axis) =>
    value.shape[axis] === 1 && (sizes.get(name) ?? 1) !== 1 ? [] : [axis],
  );
  const sizesKept = kept.map((axis) => sizeOf(value, axis));
  return { value: reshape(g, value, sizesKept), indices: kept.map((axis) => indices[axis] as string) };
}

function identity(g: Emitter, like: Value, size: number): Value {
  const diagonal = arange(size * size).map((index) => (index % (size + 1) === 0 ? 1 : 0));
  return g.constant(tensorOf(like.dtype, diagonal, [size, size]));
}

const alphabet = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"];

function unusedIndices(equation: Equation, count: number, node: NodeView): string[] {
  const unused = alphabet.filter((letter) => !equation.sizes.has(letter));
  if (unused.length >= count) return unused.slice(0, count);
  throw nodeError(
    node.node,
    `its ${equation.sizes.size} indices and ${count} more that its derivative needs exceed the ` +
      "52 letters; write it as two products.",
  );
}

/** Reads the equation, gives the axes under an ellipsis letters of their own, and checks the sizes. */
function parseEquation(node: NodeView): Equation {
  const text = stringAttribute(node.node, "equation", "").replaceAll(/\s/g, "");
  const [left = "", right] = text.split("->");
  const written = left.split(",");
  const shapes = node.inputs.map((_, index) => required(node, index).shape);
  const wrong = (problem: string) =>
    nodeError(
      node.node,
      `the equation '${text}' ${problem}; its operands have the shapes ` +
        `${shapes.map(formatShape).join(", ")}.`,
    );
  if (written.length !== shapes.length)
    throw wrong(`has ${written.length} operands, and the node ${shapes.length}`);

  const ellipsisRanks = written.map((term, index) => {
    const rank = (shapes[index]?.length ?? 0) - term.replace("...", "").length;
    if (rank < 0 || (rank > 0 && !term.includes("...")))
      throw wrong(`gives operand ${index} '${term}', which does not fit its axes`);
    return rank;
  });
  const spare = alphabet.filter((letter) => !text.includes(letter));
  const ellipsis = spare.slice(0, Math.max(...ellipsisRanks));
  if (ellipsis.length < Math.max(...ellipsisRanks)) throw wrong("needs more than 52 indices");
  const expand = (term: string, rank: number) => {
    const [before = "", after] = term.split("...");
    return after === undefined
      ? [...before]
      : [...before, ...ellipsis.slice(ellipsis.length - rank), ...after];
  };
  const terms = written.map((term, index) => expand(term, ellipsisRanks[index] as number));

  const sizes = new Map<string, number>();
  terms.forEach((indices, index) => {
    indices.forEach((name, axis) => {
      const size = shapes[index]?.[axis] ?? 1;
      const before = sizes.get(name) ?? 1;
      if (before !== 1 && size !== 1 && size !== before)
        throw wrong(`gives index '${name}' the sizes ${before} and ${size}`);
      sizes.set(name, before === 1 ? size : before);
    });
  });
  const result = right === undefined ? impliedResult(terms, ellipsis) : expand(right, ellipsis.length);
  const unknown = result.find((name) => !sizes.has(name));
  if (unknown !== undefined) throw wrong(`has the index '${unknown}' in its result only`);
  return { terms, result, sizes };
}

/** Without an arrow: the axes under the ellipsis, then the indices that occur once, in alphabetical order. */
function impliedResult(terms: readonly (readonly string[])[], ellipsis: readonly string[]): string[] {
  const all = terms.flat().filter((name) => !ellipsis.includes(name));
  return [...ellipsis, ...all.filter((name) => all.indexOf(name) === all.lastIndexOf(name)).sort()];
}
