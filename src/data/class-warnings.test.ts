import { describe, expect, it } from "vitest";
import { classWarnings } from "./class-warnings.ts";
import { tableDataset } from "./files/table.ts";

const file = (name: string, rows: readonly string[]) => ({
  name,
  bytes: new TextEncoder().encode(["width;kind", ...rows].join("\r\n")),
});
const usual = ["1,5;oak", "2,5;oak", "3,5;elm", "4,5;elm"];
const options = { target: "kind", targets: "classes" } as const;

describe("classes that hardly any example is of", () => {
  it("are named where there is nothing to learn from, and where nothing is left to test on", () => {
    const data = file("trees.csv", [...usual, "9,5;yew"]);
    const test = file("test.csv", usual);
    const rare = tableDataset(data, { ...options, test });
    expect(classWarnings(rare)).toEqual([
      expect.stringMatching(/^one example alone is of class 'yew', and none to test on/),
    ]);
    const unknown = tableDataset(file("trees.csv", usual), {
      ...options,
      test,
      classNames: ["elm", "fir", "oak", "yew"],
    });
    expect(classWarnings(unknown)).toEqual([
      expect.stringMatching(/^no example to train on is of class 'fir', 'yew'/),
    ]);
  });

  it("are not named where each is there, where values are learned, and where nothing is trained", () => {
    const data = file("trees.csv", usual);
    expect(classWarnings(tableDataset(data, { ...options, test: data }))).toEqual([]);
    expect(classWarnings(tableDataset(data, { target: "width", targets: "values", test: data }))).toEqual([]);
  });
});
