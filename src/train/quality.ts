import { fold, type Key } from "../random/threefry.ts";
import type { Tensors } from "../runtime/runtime.ts";
import type { Estimator } from "./estimator.ts";
import { cosine, exactGradient, norm } from "./exact.ts";
import type { Differentiable } from "./objective.ts";

/** How a forward gradient compares with the exact gradient of the same batch. */
export interface Quality {
  /** Cosine of the angle between them. */
  readonly cosine: number;
  /** ‖ĝ‖ / ‖∇f‖; 0 where the exact gradient is zero. */
  readonly normRatio: number;
}

/** Compares a forward gradient with the exact one, by `exact`, on the batch in `feeds`. */
export async function compareWithExact(
  exact: Estimator,
  feeds: Tensors,
  key: Key,
  gradients: Readonly<Record<string, Float32Array>>,
): Promise<Quality> {
  const target = (await exact.estimate(feeds, key)).gradients;
  const length = norm(target);
  return { cosine: cosine(gradients, target), normRatio: length === 0 ? 0 : norm(gradients) / length };
}

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
