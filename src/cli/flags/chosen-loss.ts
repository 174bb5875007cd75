/** The loss that flags choose: of those that the library knows by name, and contrast of pairs, which programs import. */
import { contrast } from "../../losses/contrast.ts";
import type { Loss } from "../../losses/loss.ts";
import { losses } from "../../losses/losses.ts";
import type { KnownData } from "../../objective/model-data.ts";
import { isFunction, namedSetting } from "../../settings/named-setting.ts";
import { trainOptions } from "../../train/settings/options.ts";
import { asOptions, type SettingData } from "./setting-flags.ts";

/** The losses that a command takes, by name. */
export const commandLosses = { ...losses, contrast };

/** Name of a loss in `commandLosses`. */
export type CommandLoss = keyof typeof commandLosses;

const lossFlag = namedSetting<typeof commandLosses, Loss>("loss", commandLosses, {
  help: "loss",
  parts: { target: isFunction, perExample: isFunction },
  default: "cross-entropy",
});

/** The settings of a run as commands have them. */
export const trainingSettings = { ...trainOptions, loss: lossFlag };

/** Name of the loss that is chosen. */
export function lossName({ loss = lossFlag.default }: SettingData): CommandLoss {
  // Flags of a loss's options may come without its name.
  return (
    typeof loss === "object" && loss !== null ? (Object(loss).name ?? lossFlag.default) : loss
  ) as CommandLoss;
}

/** The settings' loss; mean squared error counts in units of the variance of the targets that the model knows. */
export function lossData(settings: SettingData, { targetNormalization }: KnownData): SettingData {
  const name = lossName(settings);
  if (name !== "mean-squared-error" || targetNormalization === undefined) return settings;
  const given = typeof settings.loss === "object" ? settings.loss : {};
  return { ...settings, loss: { scale: targetNormalization.standardDeviation, ...given, name } };
}

/** The loss itself. @throws SettingError */
export function chosenLoss(settings: SettingData, known: KnownData = {}): Loss {
  const name = lossName(settings);
  const given = typeof settings.loss === "object" ? { ...settings.loss, name } : name;
  const { loss } = asOptions({ loss: lossFlag }, lossData({ ...settings, loss: given }, known));
  return lossFlag.choose(loss ?? lossFlag.default);
}
