/** A model that a run left: its file, and what it was trained with. */
import { statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Examples } from "../../data/dataset.ts";
import { isObject } from "../../settings/option.ts";
import { readIfPresent } from "../../storage/node-files.ts";
import { examplesFingerprint } from "../../train/settings/identity.ts";
import { commandLosses, trainingSettings } from "./chosen-loss.ts";
import type { SettingData } from "./setting-flags.ts";

const { loss, input, fill, dimensions, output } = trainingSettings;
const trained = { help: "what the model was trained with", otherwise: "what its run or its file says" };

/** The settings that read a trained model. */
export const trainedSettings = {
  loss: { ...loss, ...trained, default: undefined },
  ...{ input, fill, dimensions, output },
};

/** The file of a model that is given as such, or as the folder of the run that trained it. */
export function modelFile(given: string): string {
  return statSync(given, { throwIfNoEntry: false })?.isDirectory() ? join(given, "model.onnx") : given;
}

/** The loss of the run whose folder the model lies in; nothing where it lies in none. */
export async function runSettings(file: string): Promise<SettingData> {
  const { loss } = await runConfig(file);
  const name = isObject(loss) ? loss.name : loss;
  return typeof name === "string" && Object.hasOwn(commandLosses, name) ? { loss: name } : {};
}

/**
 * Holds examples that nobody asked for against those that the model's run was tested on.
 *
 * @param data what is measured where nothing is said
 * @throws where the run says that it was tested on others
 */
export async function checkTested(file: string, data: string, test: Examples): Promise<void> {
  const { test: known } = await runConfig(file);
  if (typeof known !== "string" || known === (await examplesFingerprint(test))) return;
  throw new Error(
    `eval measures on ${data} where no data are named, but ${file} was tested on other examples; say which with --data and what it needs.`,
  );
}

/** What a run is, of the folder that the model lies in; nothing where it lies in none. */
async function runConfig(file: string): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await readIfPresent(join(dirname(file), "config.json"));
  if (bytes === undefined || basename(file) !== "model.onnx") return {};
  try {
    const config: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isObject(config) ? config : {};
  } catch {
    // A configuration of something else.
    return {};
  }
}
