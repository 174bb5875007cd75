import type { Command } from "commander";
import { crossEntropy } from "../../losses/cross-entropy.ts";
import type { Loss } from "../../losses/loss.ts";
import { type LossName, losses } from "../../losses/losses.ts";
import { meanSquaredError } from "../../losses/mean-squared-error.ts";
import type { KnownData } from "./model-data.ts";
import { choice, wholeNumber } from "./options.ts";

/** The flags that choose the loss. */
export interface LossFlags {
  readonly loss: LossName;
  readonly classAxis?: number;
}

export function addLossOptions(command: Command): Command {
  return command
    .addOption(choice("--loss <name>", "loss", Object.keys(losses)).default("cross-entropy"))
    .option(
      "--class-axis <n>",
      "axis of the classes in the output, counted from 0 (default: the last, or 1, as the labels' shape has it)",
      wholeNumber(1),
    );
}

/** The loss of that name; mean squared error counts in units of the variance of the targets that the model knows. */
export function chosenLoss({ loss, classAxis }: LossFlags, { targetNormalization }: KnownData = {}): Loss {
  if (loss === "cross-entropy") return crossEntropy({ classAxis });
  if (classAxis !== undefined)
    throw new Error(`--class-axis goes with --loss cross-entropy, received --loss ${loss}; leave it out.`);
  return loss === "mean-squared-error"
    ? meanSquaredError({ scale: targetNormalization?.standardDeviation })
    : losses[loss]();
}
