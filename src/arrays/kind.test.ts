import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { isArrayOf } from "./kind.ts";

const kinds = [
  "Float32Array",
  "Float64Array",
  "Int8Array",
  "Int16Array",
  "Int32Array",
  "Uint8Array",
  "Uint16Array",
  "Uint32Array",
  "BigInt64Array",
  "BigUint64Array",
] as const;

describe("isArrayOf", () => {
  it.each(kinds)("knows a %s of this realm and of another, and tells it from all other kinds", (kind) => {
    const foreign = runInNewContext(`new ${kind}(3)`);
    const own = new globalThis[kind](3);
    expect(foreign instanceof globalThis[kind]).toBe(false);
    for (const array of [foreign, own])
      expect(kinds.filter((other) => isArrayOf(other, array))).toEqual([kind]);
  });

  it("takes a Buffer for bytes, and nothing else for an array", () => {
    expect(isArrayOf("Uint8Array", Buffer.from("abc"))).toBe(true);
    const disguised = { [Symbol.toStringTag]: "Float32Array", length: 3 };
    for (const value of [
      [1],
      "abc",
      null,
      undefined,
      new ArrayBuffer(4),
      new DataView(new ArrayBuffer(4)),
      disguised,
    ])
      for (const kind of kinds) expect(isArrayOf(kind, value)).toBe(false);
  });
});
