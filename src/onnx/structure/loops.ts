/** Loop and Scan nodes, iteration by iteration. */
import type { NodeProto } from "onnx-buf";
import { ModelError } from "../../errors/errors.ts";
import { words } from "../../errors/words.ts";
import { howToRaise } from "../../limits/limits.ts";
import { int } from "../graph.ts";
import { withFields } from "../messages/message.ts";
import { definedNames } from "../rename.ts";
import { int64, tensorOf } from "../tensor.ts";
import type { Known } from "./known.ts";
import {
  constantNode,
  copies,
  countNodes,
  inlineGraph,
  plainNode,
  readsOf,
  someInside,
  stack,
  subgraph,
  wholeAttribute,
  wholesAttribute,
} from "./subgraphs.ts";

/** The iterations of a Loop one after the other, where their number is known. */
export function unrollLoop(node: NodeProto, known: Known, opset: number): NodeProto[] | undefined {
  const body = subgraph(node, "body");
  const iterations = body && known.iterations(node);
  if (!body || iterations === undefined) return undefined;
  refuseSize(node, iterations, known);
  const prefix = node.name || (node.output[0] ?? "");
  const condition = `${prefix}/condition`;
  const nodes = [constantNode(condition, tensorOf("bool", [1], []))];
  let carried: readonly string[] = node.input.slice(2);
  const collected = body.output.slice(1 + carried.length).map((): string[] => []);
  for (let iteration = 0; iteration < iterations; iteration++) {
    const count = `${prefix}/${iteration}/turn`;
    const inlined = inlineGraph(body, `${prefix}/${iteration}`, [count, condition, ...carried]);
    nodes.push(constantNode(count, int64([iteration], [])), ...inlined.nodes);
    const results = inlined.results.slice(1);
    carried = results.slice(0, carried.length);
    collected.forEach((list, index) => {
      list.push(results[carried.length + index] as string);
    });
  }
  // An empty result of no iteration has a shape that nothing tells.
  if (iterations === 0 && collected.length > 0) return undefined;
  const stacked = collected.flatMap((list, index) => {
    const name = node.output[carried.length + index] ?? "";
    return name === "" ? [] : stack(list, name, 0, opset);
  });
  return [...nodes, ...copies(carried, node.output.slice(0, carried.length)), ...stacked];
}

/**
 * The part of a Loop that decides how often it runs, as a Loop with one output, whose length is the number of iterations, at
 * most `most`; undefined where that part holds graphs of its own.
 */
export function countingLoop(node: NodeProto, output: string, most: number): NodeProto[] | undefined {
  const body = subgraph(node, "body");
  if (!body) return undefined;
  const [limit = "", condition = "", ...initial] = node.input;
  const [iteration, , ...carriedIn] = body.input.map(({ name }) => name);
  const [proceeds, ...results] = body.output.map(({ name }) => name);
  if (iteration === undefined || proceeds === undefined) return undefined;
  // What the condition depends on, from iteration to iteration: carried values bring in what computes them.
  const needed = new Set([proceeds]);
  const inner: NodeProto[] = [];
  let carried: number[] = [];
  for (;;) {
    inner.length = 0;
    for (const each of [...body.node].reverse()) {
      if (!each.output.some((name) => needed.has(name))) continue;
      if (someInside(each, ({ attribute }) => attribute.some(({ g }) => g))) return undefined;
      for (const name of each.input) needed.add(name);
      inner.unshift(each);
    }
    const found = carriedIn.flatMap((name, index) => (needed.has(name) ? [index] : []));
    if (found.length === carried.length) break;
    carried = found;
    for (const index of carried) needed.add(results[index] as string);
  }
  const declared = <T extends { name: string }>(list: readonly T[], names: readonly string[]): T[] =>
    names.flatMap((name) => list.find((each) => each.name === name) ?? []);
  const counted = `${output}/turn`;
  const first = body.output[0];
  const turnInput = body.input[0];
  if (!first || !turnInput) return undefined;
  const counting = withFields(body, {
    input: [
      ...body.input.slice(0, 2),
      ...declared(
        body.input,
        carried.map((index) => carriedIn[index] as string),
      ),
    ],
    output: [
      first,
      ...carried.map((index) => body.output[1 + index] as typeof first),
      withFields(turnInput, { name: counted }),
    ],
    node: [...inner, plainNode("Identity", [iteration], [counted])],
    initializer: body.initializer.filter(({ name }) => needed.has(name)),
    valueInfo: [],
  });
  const bound = `${output}/limit`;
  const bounds =
    limit === ""
      ? [constantNode(bound, int64([most], []))]
      : [
          constantNode(`${bound}/most`, int64([most], [1])),
          constantNode(`${bound}/one`, int64([1], [1])),
          plainNode("Reshape", [limit, `${bound}/one`], [`${bound}/given`]),
          plainNode("Min", [`${bound}/given`, `${bound}/most`], [bound]),
        ];
  const loop = withFields(node, {
    name: "",
    input: [bound, condition, ...carried.map((index) => initial[index] as string)],
    output: [...carried.map((index) => `${output}/carried/${index}`), output],
    attribute: node.attribute.map((each) => (each.g ? withFields(each, { g: counting }) : each)),
  });
  return [...bounds, loop];
}

/** The steps of a Scan one after the other, where the length of what it runs over is known. */
export function unrollScan(node: NodeProto, known: Known, opset: number): NodeProto[] | undefined {
  const body = subgraph(node, "body");
  if (!body) return undefined;
  const scanned = wholeAttribute(node, "num_scan_inputs", 0);
  const stateCount = node.input.length - scanned;
  const lists = node.input.slice(stateCount);
  const option = (name: string, index: number) => wholesAttribute(node, name)[index] ?? 0;
  const shapes = lists.map((name) => known.shape(name));
  const length = shapes[0]?.at(option("scan_input_axes", 0));
  if (length === undefined || shapes.includes(undefined) || length === 0) return undefined;
  refuseSize(node, length, known);
  const prefix = node.name || (node.output.find((name) => name !== "") ?? "");
  const nodes: NodeProto[] = [];
  let state: readonly string[] = node.input.slice(0, stateCount);
  const collected = body.output.slice(stateCount).map((): string[] => []);
  for (let step = 0; step < length; step++) {
    const elements = lists.map((list, index) => {
      const at = option("scan_input_directions", index) === 1 ? length - 1 - step : step;
      const [element, position] = [
        `${prefix}/${step}/element/${index}`,
        `${prefix}/${step}/position/${index}`,
      ];
      const axis = option("scan_input_axes", index);
      nodes.push(constantNode(position, int64([at], [])));
      nodes.push(plainNode("Gather", [list, position], [element], { axis: int(axis) }));
      return element;
    });
    const inlined = inlineGraph(body, `${prefix}/${step}`, [...state, ...elements]);
    nodes.push(...inlined.nodes);
    state = inlined.results.slice(0, stateCount);
    collected.forEach((list, index) => {
      const result = inlined.results[stateCount + index] as string;
      if (option("scan_output_directions", index) === 1) list.unshift(result);
      else list.push(result);
    });
  }
  const stacked = collected.flatMap((list, index) => {
    const name = node.output[stateCount + index] ?? "";
    return name === "" ? [] : stack(list, name, option("scan_output_axes", index), opset);
  });
  return [...nodes, ...copies(state, node.output.slice(0, stateCount)), ...stacked];
}

/** @throws where the iterations would be more nodes than a model may get */
function refuseSize(node: NodeProto, iterations: number, known: Known): void {
  const [inside, most] = [countNodes([node]), known.limits.unrolledNodes];
  if (known.size + iterations * inside <= most) return;
  throw new ModelError(
    words`${known.source}: ${node.opType} node '${node.name || node.output[0]}' runs
      ${iterations >= most ? `at least ${most} times` : `${iterations} times`}, and its graph has ${inside} nodes. Its
      iterations are written out one after the other; for the number of nodes that makes,
      ${howToRaise("unrolledNodes", known.limits)} Otherwise export the model for shorter sequences or a smaller batch,
      or replace the loop by one op over all of them.`,
    { source: known.source },
  );
}

/** Names of values around a Loop's counting part that it reads. */
export function outerReads(nodes: readonly NodeProto[]): string[] {
  const own = new Set(definedNames(nodes));
  return nodes.flatMap(readsOf).filter((name) => !own.has(name));
}
