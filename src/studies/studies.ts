import { angles } from "./angles.ts";
import { anglesFunctions } from "./angles-functions.ts";
import { frontier } from "./frontier.ts";
import { functions } from "./functions.ts";
import { networks } from "./networks.ts";
import { quality } from "./quality.ts";
import type { Study } from "./study.ts";

/** The studies by name, in the order of the paper. */
export const studies: Readonly<Record<string, Study>> = {
  quality,
  functions,
  angles,
  "angles-functions": anglesFunctions,
  networks,
  frontier,
};
