import { type AdamOptions, adaptive } from "./adam.ts";
import type { Optimizer } from "./optimizer.ts";

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101) as in PyTorch: θ ← θ − lr·λθ, then Adam's
 * step of the bare gradient. λ is 0.01 unless given.
 *
 * @throws for options out of range
 */
export function adamw(options: AdamOptions = {}): Optimizer {
  return adaptive("adamw", options, 0, options.weightDecay ?? 0.01);
}
