/** How far forward gradients are from the exact one. */
import type { Differentiable } from "../objective/objective.ts";
import { fold, type Key } from "../random/threefry.ts";
import type { Tensors } from "../runtime/runtime.ts";
import type { Estimator } from "./estimator.ts";
import { cosine, exactGradient, norm } from "./exact.ts";
import { copyState, type EstimatorState } from "./state.ts";

/** How a forward gradient compares with the exact gradient of the same batch. */
export interface Quality {
  /** Cosine of the angle between them. */
  readonly cosine: number;
  /** ‖ĝ‖ / ‖∇f‖; 0 where the exact gradient is zero. */
  readonly normRatio: number;
}

/** Compares forward gradients with exact ones, which are compiled for the first. */
export class ExactComparison {
  readonly #objective: Differentiable;
  #exact: Estimator | undefined;

  constructor(objective: Differentiable) {
    this.#objective = objective;
  }

  /** @param feeds the batch that the gradients are of */
  async compare(
    feeds: Tensors,
    key: Key,
    gradients: Readonly<Record<string, Float32Array>>,
  ): Promise<Quality> {
    this.#exact ??= await exactGradient(this.#objective);
    const target = (await this.#exact.estimate(feeds, key)).gradients;
    const length = norm(target);
    return { cosine: cosine(gradients, target), normRatio: length === 0 ? 0 : norm(gradients) / length };
  }

  async release(): Promise<void> {
    await this.#exact?.release();
  }
}

/**
 * Mean cosine similarity between forward gradients and the exact gradient of the same batch, over several draws of
 * the tangents.
 *
 * @param state the estimator's, which stays as it is
 */
export async function measureQuality(
  objective: Differentiable,
  estimator: Estimator,
  feeds: Tensors,
  key: Key,
  draws: number,
  state?: EstimatorState,
): Promise<number> {
  const exact = await exactGradient(objective);
  try {
    const { gradients } = await exact.estimate(feeds, key);
    let total = 0;
    for (let draw = 0; draw < draws; draw++) {
      const estimate = await estimator.estimate(feeds, fold(key, draw), state && copyState(state));
      total += cosine(estimate.gradients, gradients);
    }
    return total / draws;
  } finally {
    await exact.release();
  }
}
