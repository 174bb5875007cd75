/** Why a run ended where it did, and which of its parameters it kept, in sentences. */
import type { Config } from "../settings/config.ts";
import type { TrainResult } from "../train/events.ts";

/** What is looked at of a result. */
export type EndOfRun = Partial<Pick<TrainResult, "steps" | "epochs" | "bestStep" | "outOfTime">>;

/**
 * The sentences on a finished run; none where it went to its last step and kept what it had then.
 *
 * @param config what the run was asked for
 */
export function courseWords(
  { steps = 0, epochs = 0, bestStep, outOfTime }: EndOfRun,
  config: Config,
): string[] {
  const patience = typeof config.patience === "object" ? (config.patience as Config | null) : undefined;
  const waited = patience?.epochs ?? config.patience;
  const metric = `validation ${typeof patience?.on === "string" ? (names[patience.on] ?? patience.on) : "loss"}`;
  const isEarly =
    typeof waited === "number" && typeof config.steps === "number" && steps < config.steps && !outOfTime;
  const count = (value: number) => value.toLocaleString("en");
  const perEpoch = epochs > 0 ? steps / epochs : 0;
  const epochOf = (step: number) =>
    perEpoch > 0 ? `, of epoch ${count(Math.ceil(step / perEpoch - 1e-9))}` : "";
  return [
    ...(isEarly
      ? [
          `Stopped early, after ${count(steps)} of ${count(config.steps as number)} steps: no better ${metric} for ${waited} ${waited === 1 ? "epoch" : "epochs"}.`,
        ]
      : []),
    ...(bestStep === undefined
      ? []
      : [`Kept: the parameters of step ${bestStep}${epochOf(bestStep)}, which had the best ${metric}.`]),
  ];
}

/** Metrics as people read them. */
const names: Readonly<Record<string, string>> = {
  macroF1: "macro F1",
  balancedAccuracy: "balanced accuracy",
  rocAuc: "ROC AUC",
  r2: "R²",
  meanAbsoluteError: "mean absolute error",
  rootMeanSquaredError: "root mean squared error",
  entityF1: "entity F1",
  retrievalAccuracy: "retrieval accuracy",
  meanReciprocalRank: "mean reciprocal rank",
};
