import { describe, expect, it } from "vitest";
import { dataFromBytes } from "./tensor.ts";

describe("dataFromBytes", () => {
  const source = Buffer.alloc(24);
  source.writeDoubleLE(2.5, 3);
  source.writeDoubleLE(-1, 11);

  it("reads bytes at any offset, of a Uint8Array and of Node's Buffer", () => {
    const buffer = source.subarray(3, 19);
    for (const bytes of [buffer, new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)])
      expect(dataFromBytes("float64", bytes)).toEqual(Float64Array.of(2.5, -1));
  });

  it("is a view where the bytes are aligned", () => {
    const numbers = Float32Array.of(1, 2, 3);
    const bytes = new Uint8Array(numbers.buffer, 4, 8);
    expect(dataFromBytes("float32", bytes).buffer).toBe(numbers.buffer);
  });
});
