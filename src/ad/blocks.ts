/** Sites at the ends of blocks, which the names of nodes tell, or residual sums. */
import { SettingError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import { consumers, dependents, type Graph, type Node, producers } from "../onnx/graph.ts";
import { collectSites, dataDependents, type Site } from "./sites.ts";

type BlockOf = (node: Node) => string | undefined;

/**
 * The block of a node, by the path that is its name: up to the first module that is numbered, "layer1" of
 * "/layer1/layer1.0/conv1/Conv", "encoder/layer.0" of "/encoder/layer.0/output/MatMul"; where none is, the first module.
 *
 * @returns undefined where the name is no path
 */
export function blockName(name: string): string | undefined {
  const modules = name.replace(/^\//, "").split("/").slice(0, -1);
  const numbered = modules.findIndex((module) => /\d$/.test(module));
  return (numbered < 0 ? modules[0] : modules.slice(0, numbered + 1).join("/")) || undefined;
}

/**
 * The outputs of blocks as sites. A node belongs to the block that the pattern's first group (or the whole match) finds in
 * its name; blocks that read no parameter do not count. Without a pattern names are paths (`namedBlocks`), and where these tell
 * no two blocks apart, blocks end at residual sums.
 *
 * @param end the model's own output, which ends the last block where nothing else does
 * @throws when no node's name matches, or when a parameter reaches `output` without passing a block's output.
 */
export function blockSites(
  graph: Graph,
  parameters: readonly string[],
  output: string,
  { pattern, end }: { readonly pattern?: RegExp; readonly end?: string } = {},
): Site[] {
  const onData = dataDependents(graph, parameters);
  const onParameters = dependents(graph, parameters);
  const named = pattern ? matchedBlocks(pattern) : namedBlocks(graph, { onData, end });
  const blocksBy = (blockOf: BlockOf) =>
    new Set(
      graph.nodes.flatMap((node) =>
        // What is computed of parameters alone, such as an adapter's product, belongs to the block that reads it.
        node.outputs.some((name) => onData.has(name)) &&
        node.inputs.some((name) => onParameters.has(name) && !onData.has(name))
          ? (blockOf(node) ?? [])
          : [],
      ),
    );
  let [blockOf, blocks] = [named, blocksBy(named)];
  if (!pattern && blocks.size < 2) {
    const sums = residualBlocks(graph, { onData, onParameters, end });
    const found = blocksBy(sums);
    if (found.size > 1) [blockOf, blocks] = [sums, found];
  }
  if (blocks.size === 0) {
    const names = graph.nodes.slice(0, 5).map((node) => `'${node.name}'`);
    throw new SettingError(
      words`The graph '${graph.name}' has no named block: no node that reads a parameter has a name that
        ${pattern ? `matches ${pattern}` : "is a path, and it has no residual sums"} (the first nodes are ${names.join(", ")}).
        Choose a pattern that finds the blocks' names (${option("perturb.pattern")}), or perturb activations.`,
      { option: "perturb.pattern" },
    );
  }
  const readers = consumers(graph);
  const isSite = new Set<string>(pattern || end === undefined ? [] : [end]);
  for (const node of graph.nodes) {
    const block = blockOf(node);
    if (block === undefined || !blocks.has(block)) continue;
    for (const name of node.outputs) {
      const leaves = (readers.get(name) ?? []).some((reader) => blockOf(reader) !== block);
      if (onData.has(name) && leaves) isSite.add(name);
    }
  }
  return collectSites(graph, parameters, output, (value) => (isSite.has(value) ? value : undefined));
}

function matchedBlocks(pattern: RegExp): BlockOf {
  return ({ name }) => {
    const match = pattern.exec(name);
    return match ? (match[1] ?? match[0]) : undefined;
  };
}

/**
 * The blocks that paths name (`blockName`). A node whose name is no path, such as one that a quantizer put in the place of a
 * named one, belongs to the block that its data come from, if all that named nodes make of it belongs there, too. What follows
 * the model's own output is not looked at.
 */
function namedBlocks(
  graph: Graph,
  { onData, end }: { readonly onData: ReadonlySet<string>; readonly end?: string },
): BlockOf {
  const behind = end === undefined ? new Set<string>() : dependents(graph, [end]);
  const nodes = graph.nodes.filter((node) => !node.inputs.some((name) => behind.has(name)));
  // By value: the blocks of the first named nodes that read it, or what comes of it.
  const readBy = new Map<string, Set<string>>();
  const readersOf = (node: Node) => node.outputs.flatMap((name) => [...(readBy.get(name) ?? [])]);
  for (const node of nodes.toReversed()) {
    const own = blockName(node.name);
    for (const name of node.inputs)
      for (const block of own === undefined ? readersOf(node) : [own])
        readBy.set(name, (readBy.get(name) ?? new Set()).add(block));
  }
  const blocks = new Map(graph.nodes.map((node) => [node, blockName(node.name)]));
  const from = new Map<string, string>();
  for (const node of nodes) {
    const before = node.inputs.findLast((name) => onData.has(name) && from.has(name));
    const inherited = before === undefined ? undefined : from.get(before);
    const block =
      blocks.get(node) ?? (readersOf(node).every((each) => each === inherited) ? inherited : undefined);
    blocks.set(node, block);
    if (block !== undefined) for (const output of node.outputs) from.set(output, block);
  }
  return (node) => blocks.get(node);
}

/**
 * Numbers the blocks between the residual sums x + f(x) of a graph, where f reads a parameter: "0" before the first sum, that
 * included, and so on. What follows the model's own output belongs to none.
 *
 * @param known the values that depend on data, and on parameters; the model's output
 */
function residualBlocks(
  graph: Graph,
  {
    onData,
    onParameters,
    end,
  }: {
    readonly onData: ReadonlySet<string>;
    readonly onParameters: ReadonlySet<string>;
    readonly end?: string;
  },
): BlockOf {
  const behind = end === undefined ? new Set<string>() : dependents(graph, [end]);
  const producerOf = producers(graph);
  const readsParameter = (node: Node) =>
    node.inputs.some((name) => onParameters.has(name) && !onData.has(name));
  const depths = new Map<string, number>();
  const blocks = new Map<Node, string>();
  for (const node of graph.nodes) {
    if (node.inputs.some((name) => behind.has(name))) continue;
    const depth = Math.max(0, ...node.inputs.map((name) => depths.get(name) ?? 0));
    blocks.set(node, String(depth));
    const [a = "", b = ""] = node.inputs;
    // A mask is added to what it masked before, and is no stream.
    const isLearned = (name: string) => onData.has(name) && onParameters.has(name);
    const isSum =
      node.op === "Add" &&
      isLearned(a) &&
      isLearned(b) &&
      (isBranch(graph, a, b, producerOf, readsParameter) ||
        isBranch(graph, b, a, producerOf, readsParameter));
    for (const output of node.outputs) depths.set(output, depth + (isSum ? 1 : 0));
  }
  return (node) => blocks.get(node);
}

/** Whether a value is computed from another one, by a parameter among others. */
function isBranch(
  graph: Graph,
  value: string,
  from: string,
  producerOf: ReadonlyMap<string, Node>,
  readsParameter: (node: Node) => boolean,
): boolean {
  const own = dependents(graph, [from]);
  if (!own.has(value)) return false;
  const seen = new Set([value]);
  // A set that grows while it is read: each value is looked at once.
  for (const name of seen) {
    const node = name === from || !own.has(name) ? undefined : producerOf.get(name);
    if (node && readsParameter(node)) return true;
    for (const input of node?.inputs ?? []) seen.add(input);
  }
  return false;
}
