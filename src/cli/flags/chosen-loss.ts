import type { Loss } from "../../losses/loss.ts";
import type { LossName } from "../../losses/losses.ts";
import type { KnownData } from "../../objective/model-data.ts";
import { lossSetting } from "../../train/settings/choices.ts";
import { asOptions, type SettingData } from "./setting-flags.ts";

/** Name of the loss that is chosen. */
export function lossName({ loss = lossSetting.default }: SettingData): LossName {
  // Flags of a loss's options may come without its name.
  return (
    typeof loss === "object" && loss !== null ? (Object(loss).name ?? lossSetting.default) : loss
  ) as LossName;
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
  const { loss } = asOptions({ loss: lossSetting }, lossData({ ...settings, loss: given }, known));
  return lossSetting.choose(loss ?? lossSetting.default);
}
