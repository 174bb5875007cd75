/** Which rules an op has: those of everyday ops are always there, all others where a graph or its builder brings them. */
import { UnsupportedOpError } from "../errors/errors.ts";
import { similarNames } from "../errors/similar-names.ts";
import { type Words, words } from "../errors/words.ts";
import { describeNode, type Graph, type Node, nodeName } from "../onnx/graph.ts";
import { own } from "../onnx/own.ts";
import * as activation from "./elementwise/activation.ts";
import * as arithmetic from "./elementwise/arithmetic.ts";
import * as choice from "./elementwise/choice.ts";
import * as convert from "./elementwise/convert.ts";
import * as logic from "./elementwise/logic.ts";
import * as rounding from "./elementwise/rounding.ts";
import * as generate from "./layout/generate.ts";
import * as indexing from "./layout/indexing.ts";
import * as layout from "./layout/layout.ts";
import * as select from "./layout/select.ts";
import type * as forms from "./older-forms.ts";
import type { Op } from "./op.ts";
import * as matmul from "./products/matmul.ts";
import * as reduce from "./reductions/reduce.ts";
import { runtimeDomain } from "./runtime-domain/domain.ts";

/** What dense networks, losses and the derivatives of both consist of; emitted graphs have other ops only where a model has some. */
export const everydayOps = {
  ...activation,
  ...arithmetic,
  ...choice,
  ...convert,
  ...generate,
  ...indexing,
  ...layout,
  ...logic,
  ...matmul,
  ...reduce,
  ...rounding,
  ...select,
};

/** Ops of older opsets that have another name now, and the last opset that knew the old one. */
const renamedOps: ReadonlyMap<string, { readonly op: string; readonly last: number }> = new Map([
  ["Upsample", { op: "Resize", last: 9 }],
  ["Scatter", { op: "ScatterElements", last: 10 }],
  // ONNX Runtime's own, which its optimizer writes into the standard's domain.
  ["SimplifiedLayerNormalization", { op: "RMSNormalization", last: Number.POSITIVE_INFINITY }],
]);

/** Where rules bring the forms of opsets before 13. */
export const olderForms: unique symbol = Symbol("forms of older opsets");

/** Rules of ops beyond the everyday ones: of the standard's by name ("Conv"), of others by domain and name ("com.microsoft.BiasGelu"). */
export type FurtherOps = Readonly<Record<string, Op>> & { readonly [olderForms]?: typeof forms };

const further: unique symbol = Symbol("rules of ops beyond the everyday ones");

interface RuledGraph extends Graph {
  readonly [further]?: FurtherOps;
}

/** The graph with the rules of its ops beyond the everyday ones. A copy by spreading has them too, a structured clone does not. */
export function withRules(graph: Graph, rules: FurtherOps): Graph {
  const carrying: RuledGraph = { ...graph, [further]: rules };
  return Object.keys(rules).length === 0 ? graph : carrying;
}

/** The rules that a graph brings. */
export function rulesOf(graph: Graph): FurtherOps {
  return (graph as RuledGraph)[further] ?? {};
}

/** The domain of an op of the catalogue: the standard's, but for those whose numbers of few bits only ONNX Runtime knows. */
export function domainOf(op: string): string {
  return op === "MatMulNBits" || op === "GatherBlockQuantized" ? runtimeDomain : "";
}

/** The rules of a node's op; undefined where it is not supported, or no everyday one and not among the further. */
export function findOp(
  { op, domain }: Pick<Node, "op" | "domain">,
  opset: number,
  further: FurtherOps = {},
): Op | undefined {
  if (domain !== domainOf(op)) return own(further, `${domain}.${op}`);
  const renamed = renamedOps.get(op);
  const name = renamed && opset <= renamed.last ? renamed.op : op;
  return own<Op>(everydayOps, name) ?? own(further, name);
}

/**
 * The rules of a node's op.
 *
 * @param further those beyond the everyday ones that are known where the node is
 * @throws when the op is not supported: names node, op, domain and opset, and the remedy or the ops of similar names.
 */
export function opOf(node: Node, opset: number, further: FurtherOps = {}): Op {
  const op = findOp(node, opset, further);
  if (op) return op;
  const names = Object.keys(further);
  if (names.length > 0)
    throw unsupportedOp(
      node,
      unknownOp(node, opset, [...Object.keys(everydayOps), ...names.filter((name) => !name.includes("."))]),
    );
  throw unsupportedOp(
    node,
    words`${describeNode(node)}: the graph does not bring the rules of this op. Graphs of a GraphBuilder and of an objective
      do; pass one that comes from elsewhere through upgradeGraph (forwardgrad/autodiff) first.`,
  );
}

/** The error of a node whose op is not supported, with what is said of it. */
export function unsupportedOp(node: Node, message: Words): UnsupportedOpError {
  return new UnsupportedOpError(message, { op: node.op, domain: node.domain, node: nodeName(node) });
}

/** What is said of an op that nothing more is known of: names node, op, domain and opset, and ops of similar names. */
export function unknownOp(node: Node, opset: number, names: readonly string[]): Words {
  const near = similarNames(node.op, names);
  return words`${describeNode(node)} (domain '${node.domain || "ai.onnx"}', opset ${opset}): this op is not
    supported.${near.length > 0 ? ` Similar ones that are: ${near.join(", ")}.` : ""} forwardgrad has rules for
    ${names.length} ops of the default domain; write the model with those, or ask for this one.`;
}
