/** One training run of a study. */
import { DivergenceError } from "../errors/errors.ts";
import type { TrainResult } from "../train/events.ts";
import type { TrainOptions } from "../train/settings/options.ts";
import { train } from "../train/train.ts";
import type { Environment } from "./study.ts";

/** What a run reached; nothing where it diverged. */
export type Reached = Partial<Pick<TrainResult, "secondsPerStep" | "validationAccuracy" | "testAccuracy">>;

/** Trains, and tells how far it is. @returns undefined where it was stopped */
export async function trainToEnd(
  { runtime, signal, advance }: Environment,
  options: Omit<TrainOptions, "runtime" | "signal">,
): Promise<Reached | undefined> {
  try {
    for await (const event of train({ ...options, runtime, signal })) {
      if (event.kind === "step") advance(event.step / event.steps);
      if (event.kind === "done") return event.result;
    }
  } catch (error) {
    if (error instanceof DivergenceError) return {};
    throw error;
  }
  return undefined;
}
