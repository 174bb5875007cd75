/** Estimates of a golden's model with a runtime, for comparing runtimes with each other. */
import { keyFromSeed } from "../src/random/threefry.ts";
import type { Runtime } from "../src/runtime/runtime.ts";
import { createEstimator, type EstimatorSettings } from "../src/train/settings/estimator.ts";
import { openGolden, type SmallModelGolden } from "./model-goldens.ts";

/** Loss, derivatives, and the parameters' gradients one after the other. */
export interface EstimateNumbers {
  readonly loss: number;
  readonly derivatives: readonly number[];
  readonly gradient: readonly number[];
}

export const estimators: Readonly<Record<string, EstimatorSettings>> = {
  weights: { perturb: "weights", tangents: 5 },
  "weights, low-rank": { perturb: "weights", sampler: "low-rank", tangents: 5 },
  activations: { perturb: "activations", tangents: 5 },
};

export async function estimateWith(
  runtime: Runtime,
  golden: SmallModelGolden,
  estimator: string,
): Promise<EstimateNumbers> {
  const { objective, feeds } = await openGolden(golden, runtime);
  const compiled = await createEstimator(objective, estimators[estimator] ?? {});
  const { loss, derivatives, gradients } = await compiled.estimate(feeds, keyFromSeed(11));
  await compiled.release();
  const gradient = Object.values(gradients).flatMap((part) => [...part]);
  return { loss, derivatives: [...derivatives], gradient };
}
