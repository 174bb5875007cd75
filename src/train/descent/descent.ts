/** What moves the parameters of a run, and the case of an optimizer that does all of it. */
import type { Estimate, Estimator } from "../../estimate/estimator.ts";
import type { Arrays, Optimizer } from "../../optim/optimizer.ts";
import { areFinite } from "../divergence.ts";

/** Bytes that crossed to a device, and back. */
export interface Transferred {
  readonly up: number;
  readonly down: number;
}

/** An estimator, and what moves the parameters against its estimates. */
export interface Descent {
  /** Estimates gradients; those that `step` makes of products are not among them. */
  readonly estimator: Estimator;
  /** The same, with all gradients as arrays: for what looks at gradients. */
  readonly whole: Estimator;
  /** Whether an estimate's numbers are finite: its gradients, flat arrays [n] by name, and the factors of those that are products. */
  isFinite(gradients: Arrays): boolean | Promise<boolean>;
  /** Does something with the last estimate, all of its gradients as arrays, that may make others, and puts it back. */
  aside<Result>(estimate: Estimate, use: (whole: Estimate) => Promise<Result>): Promise<Result>;
  /**
   * Moves the parameters, flat arrays [n] by name that are the objective's own, against the last estimate.
   *
   * @param clip the length that the gradient is shortened to. Default: as it is
   */
  step(parameters: Arrays, gradients: Arrays, state: Arrays, rate: number, clip?: number): Promise<void>;
  /** Writes what stays on a device into the arrays that estimates and steps were given. Default: nothing stays there. */
  settle?(): Promise<void>;
  /** What crossed since the last estimate began, in bytes. Default: nothing is known of it. */
  transferred?(): Transferred;
  /** Hears that these arrays were written: what is on the device is worth nothing. */
  forget?(): void;
  /** Frees the engine's memory; nothing can be estimated afterwards. */
  release(): Promise<void>;
}

/** Moves all parameters by the optimizer. */
export function plainDescent(estimator: Estimator, optimizer: Optimizer): Descent {
  return {
    ...{ estimator, whole: estimator, isFinite: areFinite },
    aside: (estimate, use) => use(estimate),
    async step(parameters, gradients, state, rate, clip) {
      // Loaded where it is asked for.
      if (clip !== undefined) (await import("../../optim/clip.ts")).clipGlobalNorm(gradients, clip);
      await estimator.follower?.commit(rate);
      optimizer.update(parameters, gradients, state, rate);
    },
    release: () => estimator.release(),
  };
}
