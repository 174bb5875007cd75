import { lengthOf } from "../arrays/length.ts";
import { SettingError } from "../errors/errors.ts";
import type { Arrays } from "./optimizer.ts";

/**
 * Shortens a gradient to at most this length over all parameters together, in place, and returns the length it had
 * (Pascanu et al., arXiv 1211.5063). The factor is limit/(length + 1e-6), as in PyTorch.
 *
 * @param gradients numbers by parameter, each a flat array [n] of any length
 * @throws when the limit is not positive
 */
export function clipGlobalNorm(gradients: Arrays, limit: number): number {
  if (!(limit > 0))
    throw new SettingError(`The limit of a gradient's length must be positive, received ${limit}.`, {
      option: "limit",
    });
  const length = lengthOf(gradients);
  const factor = limit / (length + 1e-6);
  if (factor < 1)
    for (const values of Object.values(gradients))
      for (let index = 0; index < values.length; index++) values[index] = (values[index] as number) * factor;
  return length;
}
