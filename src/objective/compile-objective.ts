/** From a model and a loss to an objective, as programs ask for it. */
import { checkOptions } from "../settings/check.ts";
import { requireOptions } from "../settings/needs.ts";
import { modelObjective, type Objective, type ObjectiveOptions } from "./objective.ts";
import { objectiveOptions } from "./objective-options.ts";

/**
 * Reads a model, finds its shapes and its parameters, and puts the loss on top.
 *
 * @throws SettingError for an unknown option, with the nearest one, and for a wrong value; ModelError or UnsupportedOpError when an
 *   op is not supported, nothing can be trained, or the loss does not fit the output.
 */
export async function compileObjective(options: ObjectiveOptions): Promise<Objective> {
  checkOptions(objectiveOptions, options, { of: "compileObjective" });
  requireOptions("compileObjective", objectiveOptions, options, ["model", "loss", "runtime", "batch"]);
  return modelObjective(options);
}
