import { expect, test } from "vitest";
import { GraphBuilder } from "../ops/full-builder.ts";
import { decodeModel } from "./decode.ts";
import { encodeGraph, encodeModel } from "./encode.ts";
import { metadataOf, withMetadata } from "./metadata.ts";

const g = new GraphBuilder("identity");
const model = decodeModel(encodeGraph(g.build({ y: g.relu(g.input("x", "float32", [1])) })));

test("texts are added, replaced and kept in the file, and nothing else changes", () => {
  expect(metadataOf(model)).toEqual({});
  const first = withMetadata(model, { a: "1", b: "ä" });
  const second = withMetadata(first, { b: "3", c: "" });
  expect(metadataOf(decodeModel(encodeModel(second, new Map())))).toEqual({ a: "1", b: "3", c: "" });
  expect(metadataOf(first)).toEqual({ a: "1", b: "ä" });
  expect(metadataOf(model)).toEqual({});
  expect({ ...second, proto: undefined }).toEqual({ ...model, proto: undefined });
  expect(withMetadata(model, {})).toBe(model);
});
