/** Learning rates that the paper's authors found for networks. */
import { SettingError } from "../../errors/errors.ts";
import type { GradientMethod } from "../functions/optimize.ts";
import table from "../reference/network-learning-rates.json" with { type: "json" };
import type { NetworkDataset, NetworkName } from "./models.ts";

export const networkRatesSource = table.source;

/**
 * The learning rate that the authors' search found for a network whose blocks are perturbed.
 * @throws where it found none
 */
export function networkLearningRate(
  network: NetworkName,
  dataset: NetworkDataset,
  { gradient, k }: Pick<GradientMethod, "gradient" | "k">,
): number {
  const key = [network, dataset === "cifar10" ? dataset : "mnist", gradient, k];
  const rate = table.rows.find((row) => key.every((value, index) => row[index] === value))?.[key.length];
  if (typeof rate === "number") return rate;
  throw new SettingError(
    `No learning rate is known for ${network} on ${dataset} with ${gradient}, k = ${k}; choose settings of the paper ` +
      "(exact, mean of 1, 2, 4 or 16 tangents, projection on 2, 4 or 16).",
    { option: "k" },
  );
}
