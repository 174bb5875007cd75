import { describeNode, type Node } from "../onnx/graph.ts";
import * as activation from "./activation.ts";
import * as arithmetic from "./arithmetic.ts";
import * as attention from "./attention.ts";
import * as choice from "./choice.ts";
import * as conv from "./conv.ts";
import * as convert from "./convert.ts";
import * as dropout from "./dropout.ts";
import * as indexing from "./indexing.ts";
import * as layout from "./layout.ts";
import * as loss from "./loss.ts";
import * as loweredNormalization from "./lowered-normalization.ts";
import * as matmul from "./matmul.ts";
import * as normalization from "./normalization.ts";
import type { Op } from "./op.ts";
import * as pool from "./pool.ts";
import * as recurrent from "./recurrent.ts";
import * as reduce from "./reduce.ts";
import * as select from "./select.ts";

const families = {
  ...activation,
  ...arithmetic,
  ...attention,
  ...choice,
  ...conv,
  ...convert,
  ...dropout,
  ...indexing,
  ...layout,
  ...loss,
  ...loweredNormalization,
  ...matmul,
  ...normalization,
  ...recurrent,
  ...pool,
  ...reduce,
  ...select,
};

export type OpName = keyof typeof families;

/** Every supported op; the exported name is the key. */
export const catalogue: Readonly<Record<OpName, Op>> = families;

/** Names of the supported ops, sorted. */
export const opNames: readonly OpName[] = (Object.keys(families) as OpName[]).sort();

/**
 * The rules of a node's op.
 *
 * @throws when the op is not supported: names node, op, domain and opset, the ops of similar names, and the remedy.
 */
export function opOf(node: Node, opset: number): Op {
  const op = Object.hasOwn(families, node.op) && node.domain === "" ? families[node.op as OpName] : undefined;
  if (op) return op;
  throw new Error(unsupported(node, opset));
}

function unsupported(node: Node, opset: number): string {
  const where = `${describeNode(node)} (domain '${node.domain || "ai.onnx"}', opset ${opset})`;
  if (node.domain !== "") {
    return (
      `${where}: only ops of the default ONNX domain are supported. Export the model without fusions made for one ` +
      "runtime (for example, before onnxruntime's optimizer)."
    );
  }
  const near = opNames.filter((name) => isNear(name.toLowerCase(), node.op.toLowerCase()));
  return (
    `${where}: this op is not supported.${near.length > 0 ? ` Similar ones that are: ${near.join(", ")}.` : ""} ` +
    `Supported ops: ${opNames.join(", ")}.`
  );
}

function isNear(a: string, b: string): boolean {
  if (a.length > 2 && b.length > 2 && (a.includes(b) || b.includes(a))) return true;
  return a.slice(0, 6) === b.slice(0, 6);
}
