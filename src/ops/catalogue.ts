/** All supported ops by name. */
import * as dropout from "./elementwise/dropout.ts";
import * as furtherActivation from "./elementwise/further-activation.ts";
import * as trigonometric from "./elementwise/trigonometric.ts";
import { everydayOps, type FurtherOps, olderForms } from "./find-op.ts";
import * as depth from "./layout/depth.ts";
import * as furtherSelect from "./layout/further-select.ts";
import * as pad from "./layout/pad.ts";
import * as resize from "./layout/resize.ts";
import * as slices from "./layout/slice-indexing.ts";
import * as windows from "./layout/windows.ts";
import * as forms from "./older-forms.ts";
import type { Op } from "./op.ts";
import * as attention from "./products/attention.ts";
import * as conv from "./products/conv.ts";
import * as determinant from "./products/determinant.ts";
import * as einsum from "./products/einsum.ts";
import * as fourier from "./products/fourier.ts";
import * as grid from "./products/grid.ts";
import * as quantized from "./products/quantized.ts";
import * as recurrent from "./products/recurrent.ts";
import * as loss from "./reductions/loss.ts";
import * as loweredNormalization from "./reductions/lowered-normalization.ts";
import * as normalization from "./reductions/normalization.ts";
import * as pool from "./reductions/pool.ts";
import * as ranking from "./reductions/ranking.ts";

const further = {
  ...attention,
  ...conv,
  ...depth,
  ...determinant,
  ...dropout,
  ...einsum,
  ...fourier,
  ...furtherActivation,
  ...furtherSelect,
  ...grid,
  ...loss,
  ...loweredNormalization,
  ...normalization,
  ...pad,
  ...pool,
  ...quantized,
  ...ranking,
  ...recurrent,
  ...resize,
  ...slices,
  ...trigonometric,
  ...windows,
};

/** The rules of all ops beyond the everyday ones, by name, and the forms of older opsets. */
export const furtherRules: FurtherOps = { ...further, [olderForms]: forms };

const families = { ...everydayOps, ...further };

/** Name of a supported op. */
export type OpName = keyof typeof families;

/** Every supported op; the exported name is the key. */
export const catalogue: Readonly<Record<OpName, Op>> = families;

/** Names of the supported ops, sorted. */
export const opNames: readonly OpName[] = (Object.keys(families) as OpName[]).sort();
