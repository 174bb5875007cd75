/** The supported ops of ONNX Runtime's own domain; the exported name is the key, behind the domain. */
import type { FurtherOps } from "../find-op.ts";
import type { Op } from "../op.ts";
import * as activation from "./activation.ts";
import * as attention from "./attention.ts";
import { runtimeDomain } from "./domain.ts";
import * as normalization from "./normalization.ts";
import * as products from "./products.ts";
import * as quantized from "./quantized.ts";
import * as rotary from "./rotary.ts";

const families = { ...activation, ...attention, ...normalization, ...products, ...quantized, ...rotary };

/** Name of a supported op of the domain "com.microsoft". */
export type RuntimeOpName = keyof typeof families;

/** All supported ones by name. */
export const runtimeOpsByName: Readonly<Record<RuntimeOpName, Op>> = families;

/** The same as rules beyond the catalogue. */
export const runtimeOps: FurtherOps = Object.fromEntries(
  Object.entries<Op>(families).map(([name, op]) => [`${runtimeDomain}.${name}`, op]),
);
