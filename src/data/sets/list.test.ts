import { expect, test } from "vitest";
import { checkExamples } from "../dataset.ts";
import { datasetNamed, datasets } from "./list.ts";

test("names are unique and lead to their entry", () => {
  expect(new Set(datasets.map((entry) => entry.name)).size).toBe(datasets.length);
  for (const entry of datasets) expect(datasetNamed(entry.name)).toBe(entry);
});

test("an unknown name lists the names there are", () => {
  expect(() => datasetNamed("mnits")).toThrow('no dataset is called "mnits", expected one of glyphs, mnist');
});

test("entries that need no files load without a store", async () => {
  for (const entry of datasets.filter(({ files }) => files === undefined)) {
    const dataset = await entry.load({ seed: 0 });
    expect(dataset.name).toBe(entry.name);
    checkExamples(dataset.train, `${entry.name} train`, dataset.classes);
    checkExamples(dataset.test, `${entry.name} test`, dataset.classes);
  }
});
