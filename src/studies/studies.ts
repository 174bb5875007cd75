import { angles } from "./angles/angles.ts";
import { anglesFunctions } from "./angles/functions.ts";
import { feedbackStudy } from "./feedback/feedback.ts";
import { frontier } from "./frontier/frontier.ts";
import { functions } from "./functions/functions.ts";
import { networks } from "./networks/networks.ts";
import { quality } from "./quality/quality.ts";
import { scale } from "./scale/scale.ts";
import type { Study } from "./study.ts";

/** The studies by name, in the order of the paper. */
export const studies: Readonly<Record<string, Study>> = {
  quality,
  functions,
  angles,
  "angles-functions": anglesFunctions,
  networks,
  feedback: feedbackStudy,
  frontier,
  scale,
};
