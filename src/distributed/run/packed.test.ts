import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pack, unpack } from "./packed.ts";

const leaves = fc.oneof(
  ...[fc.string(), fc.boolean(), fc.constant(null), fc.double()],
  ...[fc.uint8Array(), fc.int32Array(), fc.float32Array(), fc.float64Array(), fc.constant(/a.b/gi)],
);
const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    leaves,
    fc.array(tie("value")),
    fc.dictionary(fc.string(), tie("value")),
  ),
})).value;

describe("plain data in one file", () => {
  it("are read as they were written: numbers of every kind, patterns, and names of all sorts", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), values), (data) => {
        expect(unpack(pack(data), "the file")).toEqual({ ...data });
      }),
    );
  });

  it("do without what is undefined, and name what has functions", () => {
    expect(unpack(pack({ a: undefined, b: { c: undefined } }), "x")).toEqual({ b: {} });
    expect(() => pack({ optimizer: { update: () => {} } })).toThrow(
      "optimizer cannot be sent to workers elsewhere",
    );
  });

  it("that are damaged are refused, whatever is there", () => {
    const whole = pack({ a: Float32Array.of(1, 2, 3) });
    expect(() => unpack(whole.slice(0, -1), "The object")).toThrow(/^The object is damaged/);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(() => unpack(bytes, "The object")).toThrow(/^The object is damaged/);
      }),
    );
  });
});
