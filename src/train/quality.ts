import { fold, type Key } from "../random/threefry.ts";
import type { Tensors } from "../runtime/runtime.ts";
import type { Estimator } from "./estimator.ts";
import { cosine, exactGradient } from "./exact.ts";
import type { Differentiable } from "./objective.ts";

/**
 * Mean cosine similarity between forward gradients and the exact gradient of the same batch, over several draws of
 * the tangents.
 */
export async function measureQuality(
  objective: Differentiable,
  estimator: Estimator,
  feeds: Tensors,
  key: Key,
  draws: number,
): Promise<number> {
  const exact = await exactGradient(objective);
  try {
    const { gradients } = await exact.estimate(feeds, key);
    let total = 0;
    for (let draw = 0; draw < draws; draw++)
      total += cosine((await estimator.estimate(feeds, fold(key, draw))).gradients, gradients);
    return total / draws;
  } finally {
    await exact.release();
  }
}
