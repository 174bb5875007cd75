/** Where the parts of a step are computed, when that is not here. */
import type { Estimate, StepFollower } from "../../estimate/estimator.ts";
import type { EstimatorState } from "../../estimate/state.ts";
import type { Objective } from "../../objective/objective.ts";
import type { Key } from "../../random/threefry.ts";

/** What a part throws whose numbers are not finite, wherever it is computed. */
export { NotFiniteError } from "../../linalg/cholesky.ts";

/** What one part of a step gives. */
export interface PartEstimate {
  /** The part's own loss and gradients; each gradient is a flat array [size of the parameter]. */
  readonly estimate: Pick<Estimate, "loss" | "gradients" | "unforeseen">;
  /** What the estimator remembers after it, having begun as the step did. */
  readonly learned: EstimatorState;
}

/** The parts of a run's steps. */
export interface StepParts {
  /** Whose parameters they share. */
  readonly objective: Objective;
  /** How many parts a step has. */
  readonly count: number;
  /** What an estimator remembers before the first step. */
  readonly state: EstimatorState;
  /** Computes one part of the step that is read, counted from 0, in this process. */
  compute(part: number, key: Key, state: EstimatorState): Promise<PartEstimate>;
}

/** Has the parts of steps computed: each is a function of parameters, state, the step's number and its own. */
export interface PartSource {
  /** Hears once what the parts are, before the first step. */
  open(parts: StepParts): void;
  /**
   * The parts of the step that has begun, in their order.
   *
   * @param key the step's
   * @param state what each of them begins with
   */
  estimate(key: Key, state: EstimatorState): Promise<readonly PartEstimate[]>;
  /** Follows the steps. */
  readonly follower: StepFollower;
}
