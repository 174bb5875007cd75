import { angles } from "./angles.ts";
import type { Study } from "./study.ts";

/** The studies by name, in the order of the paper. */
export const studies: Readonly<Record<string, Study>> = { angles };
