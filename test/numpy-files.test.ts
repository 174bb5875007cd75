import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { npzDataset, readNpz } from "../src/data/files/npz.ts";
import expected from "./cases/numpy-files/expected.golden.json" with { type: "json" };

const file = (name: string) => ({
  name,
  bytes: new Uint8Array(readFileSync(join(import.meta.dirname, "cases/numpy-files", name))),
});
const dataset = (name: string, options: Partial<Parameters<typeof npzDataset>[1]> = {}) =>
  npzDataset(file(name), { targets: "classes", testFraction: 1, ...options });

describe("arrays that NumPy reads", () => {
  const named = ["quotes", "order", "spaces", "python2", "version2", "version3"];
  const stored = ["fortran", "bigendian", "half-labels", "bool", "fortran4d"];
  const beside = ["names", "readme", "broken-neighbour"];
  for (const name of [...named, ...stored, ...beside] as (keyof typeof expected)[]) {
    it(`have the same numbers here: ${name}`, async () => {
      const { x, y } = expected[name] as Record<"x" | "y", { shape: number[]; data: number[] }>;
      const { test, classes, warnings } = await dataset(`${name}.npz`);
      expect([test.count, ...test.shape]).toEqual(x.shape);
      expect(Array.from(test.inputs)).toEqual(x.data);
      expect(Array.from(test.labels)).toEqual(y.data);
      expect(classes).toBe(Math.max(1, ...y.data) + 1);
      expect(warnings).toEqual([]);
    });
  }

  it("are listed by name where an array is missing, those that are no numbers too", async () => {
    await expect(dataset("names.npz", { arrays: ["x", "z"] })).rejects.toThrow(
      "names.npz: no array 'z', received 'x' float32 [4,3], 'y' int64 [4], 'names' (no array of numbers), " +
        "'meta' (no array of numbers), 'records' (no array of numbers); correct arrays",
    );
    expect([...(await readNpz(file("readme.npz"))).keys()]).toEqual(["x", "y"]);
    expect([...(await readNpz(file("names.npz"), ["y"])).keys()]).toEqual(["y"]);
  });
});

describe("arrays that nobody can train on", () => {
  const cases = {
    "empty.npz": "'x' (float64) has the shape [0,3]: it holds no examples",
    "no-width.npz":
      "'x' (float32) has the shape [4,0]: axis 1 has the size 0, so its examples hold no numbers",
    "scalar.npz": "'x' (float32) is a single number, without axes",
    "record.npz": "'x.npy': records with the fields 'height', 'width', expected one of bool, uint8",
    "complex.npz": "'x.npy': elements of type '<c8' (complex numbers)",
    "label.npz":
      "'y' holds the class number 1000000000 for example 2, which asks for 1,000,000,001 classes; the limit classes",
    "plain.npy": "one .npy array, float32 [4,3], expected a .npz archive of inputs and labels",
  };
  for (const [name, message] of Object.entries(cases)) {
    it(`are refused by name: ${name}`, async () => {
      await expect(dataset(name)).rejects.toThrow(`${name}: ${message}`);
    });
  }

  it("are refused for their size before they are unpacked", async () => {
    await expect(dataset("order.npz", { limits: { unpackedBytes: 100 } })).rejects.toThrow(
      /order\.npz: 'x' unpacks to \d+ bytes; the limit unpackedBytes is 100/,
    );
    expect((await dataset("label.npz", { limits: { classes: 2e9 } })).classes).toBe(1e9 + 1);
  });
});

describe("whole numbers that float32 does not tell apart", () => {
  it("are warned of by the array's name", async () => {
    expect((await dataset("times.npz")).warnings?.map(String)[0]).toMatch(
      /^times.npz: 'x' \(int64\) holds whole numbers that 32-bit floats cannot tell apart, such as 17000000000\d\d and 17000000000\d\d/,
    );
    expect((await dataset("beyond.npz")).warnings?.map(String)[0]).toMatch(/'x' \(int64\).*beyond 2\^53/);
    const { warnings } = await dataset("targets.npz", { targets: "values" });
    expect(warnings?.map(String)[0]).toMatch(
      /'y' \(int64\).*such as 16777216 and 16777217 \(examples 0 and 1\)/,
    );
  });
});
