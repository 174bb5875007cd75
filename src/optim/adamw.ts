/** Adam with decoupled weight decay. */
import { named } from "../settings/named.ts";
import type { Given } from "../settings/option.ts";
import { adaptive, adaptiveOptions } from "./adam.ts";
import { weightDecay } from "./optimizer.ts";

export const adamwOptions = {
  ...adaptiveOptions,
  /** λ, from 0, apart from the gradient (decoupled). */
  weightDecay: weightDecay("pulls parameters towards 0, apart from the gradient", 0.01),
};

/** Options of `adamw`. */
export type AdamwOptions = Given<typeof adamwOptions>;

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101) as in PyTorch: θ ← θ − lr·λθ, then Adam's
 * step of the bare gradient. λ is 0.01 unless given.
 *
 * @throws SettingError for options out of range
 */
export const adamw = named("optimizer", "adamw", adamwOptions, (options) =>
  adaptive(options, 0, options.weightDecay),
);
