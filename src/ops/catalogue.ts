/** All supported ops by name. */
import { UnsupportedOpError } from "../errors/errors.ts";
import { similarNames } from "../errors/similar-names.ts";
import { type Words, words } from "../errors/words.ts";
import { describeNode, type Node, nodeName } from "../onnx/graph.ts";
import { own } from "../onnx/own.ts";
import * as activation from "./elementwise/activation.ts";
import * as arithmetic from "./elementwise/arithmetic.ts";
import * as choice from "./elementwise/choice.ts";
import * as convert from "./elementwise/convert.ts";
import * as dropout from "./elementwise/dropout.ts";
import * as logic from "./elementwise/logic.ts";
import * as rounding from "./elementwise/rounding.ts";
import * as trigonometric from "./elementwise/trigonometric.ts";
import * as depth from "./layout/depth.ts";
import * as generate from "./layout/generate.ts";
import * as indexing from "./layout/indexing.ts";
import * as layout from "./layout/layout.ts";
import * as pad from "./layout/pad.ts";
import * as resize from "./layout/resize.ts";
import * as select from "./layout/select.ts";
import { renamedOps } from "./older-forms.ts";
import type { Op } from "./op.ts";
import * as attention from "./products/attention.ts";
import * as conv from "./products/conv.ts";
import * as einsum from "./products/einsum.ts";
import * as fourier from "./products/fourier.ts";
import * as grid from "./products/grid.ts";
import * as matmul from "./products/matmul.ts";
import * as quantized from "./products/quantized.ts";
import * as recurrent from "./products/recurrent.ts";
import * as loss from "./reductions/loss.ts";
import * as loweredNormalization from "./reductions/lowered-normalization.ts";
import * as normalization from "./reductions/normalization.ts";
import * as pool from "./reductions/pool.ts";
import * as ranking from "./reductions/ranking.ts";
import * as reduce from "./reductions/reduce.ts";
import { runtimeDomain } from "./runtime-domain/domain.ts";

const families = {
  ...activation,
  ...arithmetic,
  ...attention,
  ...choice,
  ...conv,
  ...convert,
  ...dropout,
  ...depth,
  ...fourier,
  ...grid,
  ...indexing,
  ...layout,
  ...loss,
  ...loweredNormalization,
  ...matmul,
  ...normalization,
  ...recurrent,
  ...pad,
  ...pool,
  ...quantized,
  ...reduce,
  ...resize,
  ...einsum,
  ...generate,
  ...logic,
  ...ranking,
  ...rounding,
  ...select,
  ...trigonometric,
};

/** Name of a supported op. */
export type OpName = keyof typeof families;

/** Every supported op; the exported name is the key. */
export const catalogue: Readonly<Record<OpName, Op>> = families;

/** The domain of an op of the catalogue: the standard's, but for those whose numbers of few bits only ONNX Runtime knows. */
export function domainOf(op: string): string {
  return op === "MatMulNBits" || op === "GatherBlockQuantized" ? runtimeDomain : "";
}

/** Names of the supported ops, sorted. */
export const opNames: readonly OpName[] = (Object.keys(families) as OpName[]).sort();

/** Rules of ops beyond the catalogue, by domain and name: "com.microsoft.BiasGelu". */
export type FurtherOps = Readonly<Record<string, Op>>;

/** The rules of a node's op; undefined where it is not supported. */
export function findOp(
  { op, domain }: Pick<Node, "op" | "domain">,
  opset: number,
  further: FurtherOps = {},
): Op | undefined {
  if (domain !== domainOf(op)) return own(further, `${domain}.${op}`);
  const renamed = renamedOps.get(op);
  return own<Op>(families, renamed && opset <= renamed.last ? renamed.op : op);
}

/**
 * The rules of a node's op.
 *
 * @param further those of other domains that are supported where the node is
 * @throws when the op is not supported: names node, op, domain and opset, and the remedy or the ops of similar names.
 */
export function opOf(node: Node, opset: number, further: FurtherOps = {}): Op {
  const op = findOp(node, opset, further);
  if (op) return op;
  throw unsupportedOp(node, unknownOp(node, opset, opNames));
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
