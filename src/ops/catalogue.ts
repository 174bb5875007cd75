import type { Node } from "../onnx/graph.ts";
import * as activation from "./activation.ts";
import * as arithmetic from "./arithmetic.ts";
import * as attention from "./attention.ts";
import * as choice from "./choice.ts";
import * as conv from "./conv.ts";
import * as convert from "./convert.ts";
import * as depth from "./depth.ts";
import * as dropout from "./dropout.ts";
import * as einsum from "./einsum.ts";
import * as fourier from "./fourier.ts";
import * as generate from "./generate.ts";
import * as grid from "./grid.ts";
import * as indexing from "./indexing.ts";
import * as layout from "./layout.ts";
import * as logic from "./logic.ts";
import * as loss from "./loss.ts";
import * as loweredNormalization from "./lowered-normalization.ts";
import * as matmul from "./matmul.ts";
import * as normalization from "./normalization.ts";
import { renamedOps } from "./older-forms.ts";
import type { Op } from "./op.ts";
import * as pad from "./pad.ts";
import * as pool from "./pool.ts";
import * as ranking from "./ranking.ts";
import * as recurrent from "./recurrent.ts";
import * as reduce from "./reduce.ts";
import * as resize from "./resize.ts";
import * as rounding from "./rounding.ts";
import * as select from "./select.ts";
import * as trigonometric from "./trigonometric.ts";
import { unsupported } from "./unsupported.ts";

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

export type OpName = keyof typeof families;

/** Every supported op; the exported name is the key. */
export const catalogue: Readonly<Record<OpName, Op>> = families;

/** Names of the supported ops, sorted. */
export const opNames: readonly OpName[] = (Object.keys(families) as OpName[]).sort();

/**
 * The rules of a node's op.
 *
 * @throws when the op is not supported: names node, op, domain and opset, and the remedy or the ops of similar names.
 */
export function opOf(node: Node, opset: number): Op {
  const renamed = renamedOps.get(node.op);
  const name = renamed && opset <= renamed.last ? renamed.op : node.op;
  const op = Object.hasOwn(families, name) && node.domain === "" ? families[name as OpName] : undefined;
  if (op) return op;
  throw new Error(unsupported(node, opset, opNames));
}
