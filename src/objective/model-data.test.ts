import { expect, test } from "vitest";
import { mlp } from "../models/mlp.ts";
import { decodeModel } from "../onnx/decode.ts";
import { encodeModel } from "../onnx/encode.ts";
import { withMetadata } from "../onnx/metadata.ts";
import { modelOfGraph } from "./importing/model-file.ts";
import { knownData, rememberData } from "./model-data.ts";

const model = modelOfGraph(mlp({ input: [2], outputs: 2 }));

test("what is known of the data comes back from the file", () => {
  const data = {
    columns: [
      { name: "size", kind: "number" },
      { name: "color", kind: "category", categories: ["blue", "red"] },
    ],
    classNames: ["a", "b"],
    targetNormalization: { mean: [3.5], standardDeviation: [0.1] },
  } as const;
  const file = encodeModel(rememberData(model, data), new Map());
  expect(knownData(decodeModel(file))).toEqual(data);
  expect(knownData(model)).toEqual({});
  expect(rememberData(model, {})).toBe(model);
});

test("entries that are not ours are refused by key", () => {
  for (const [key, text] of [
    ["forwardgrad.classes", "[1]"],
    ["forwardgrad.classes", "a, b"],
    ["forwardgrad.columns", '[{"name":"size","kind":"text"}]'],
    ["forwardgrad.columns", '[{"name":"size","kind":"category"}]'],
    ["forwardgrad.targets", '{"mean":"1","standardDeviation":1}'],
  ] as const)
    expect(() => knownData(withMetadata(model, { [key]: text }))).toThrow(
      `the metadata '${key}' is not what forwardgrad writes`,
    );
  expect(knownData(withMetadata(model, { author: "[" }))).toEqual({});
});
