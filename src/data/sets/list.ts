import { SettingError } from "../../errors/errors.ts";
import type { DatasetEntry } from "../dataset.ts";
import { cifar10Entry } from "./cifar10.ts";
import { fashionMnistEntry } from "./fashion-mnist.ts";
import { glyphsEntry } from "./glyphs.ts";
import { mnistEntry } from "./mnist.ts";
import { svhnEntry } from "./svhn.ts";

/** Every dataset that can be asked for by name. */
export const datasets: readonly DatasetEntry[] = [
  glyphsEntry,
  mnistEntry,
  fashionMnistEntry,
  cifar10Entry,
  svhnEntry,
];

/**
 * The dataset of that name.
 * @throws when there is none; the message lists the names there are.
 */
export function datasetNamed(name: string): DatasetEntry {
  const entry = datasets.find((candidate) => candidate.name === name);
  if (entry !== undefined) return entry;
  const names = datasets.map((candidate) => candidate.name).join(", ");
  throw new SettingError(`no dataset is called "${name}", expected one of ${names}; correct the name`, {
    option: "data",
  });
}
