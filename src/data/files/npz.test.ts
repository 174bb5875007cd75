import fc from "fast-check";
import { describe, expect, test } from "vitest";
import golden from "../files.golden.json" with { type: "json" };
import { parseNpy } from "./npy.ts";
import { npzDataset, readNpz } from "./npz.ts";

const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, "base64"));
const { numpy } = golden;
const compressed = bytesOf(numpy.npz.compressed);
const stored = bytesOf(numpy.npz.stored);

/** An archive of arrays, written by the library that reads them. */
async function npz(arrays: Record<string, Uint8Array>): Promise<Uint8Array> {
  const zip = await import("@zip.js/zip.js");
  const writer = new zip.ZipWriter(new zip.Uint8ArrayWriter(), { useWebWorkers: false });
  for (const [name, bytes] of Object.entries(arrays))
    await writer.add(`${name}.npy`, new zip.Uint8ArrayReader(bytes));
  return writer.close();
}

function npy(type: "|u1" | "<f4" | "<i4", shape: readonly number[], values: readonly number[]): Uint8Array {
  const header = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shape.map((size) => `${size},`).join(" ")}), }\n`;
  const data =
    type === "|u1"
      ? Uint8Array.from(values)
      : type === "<f4"
        ? Float32Array.from(values)
        : Int32Array.from(values);
  return Uint8Array.of(
    0x93,
    ...new TextEncoder().encode("NUMPY"),
    1,
    0,
    header.length & 255,
    header.length >> 8,
    ...new TextEncoder().encode(header),
    ...new Uint8Array(data.buffer),
  );
}

describe("arrays", () => {
  for (const [kind, { file, shape, data }] of Object.entries(numpy.kinds)) {
    test(`of ${kind} have the numbers that NumPy wrote`, () => {
      const array = parseNpy(bytesOf(file), "array");
      expect(array.shape).toEqual(shape);
      expect(Array.from(array.data)).toEqual(data);
    });
  }

  test("of format versions 2 and 3, of no axis and of one are read", () => {
    const expected = numpy.kinds["<f4"];
    for (const file of [numpy.version2, numpy.version3])
      expect(Array.from(parseNpy(bytesOf(file), "array").data)).toEqual(expected.data);
    expect(parseNpy(bytesOf(numpy.scalar), "array")).toMatchObject({ shape: [], type: "float64" });
    expect(parseNpy(bytesOf(numpy.vector), "array")).toMatchObject({ shape: [2], type: "float32" });
  });

  test("in Fortran order, big-endian or of half precision are converted", () => {
    const { fortran, bigEndian, half } = numpy.refused;
    for (const file of [fortran, bigEndian, half]) {
      const { shape, data } = parseNpy(bytesOf(file), "array");
      expect(data.length).toBe(shape.reduce((product, size) => product * size, 1));
    }
  });

  test("of anything but numbers are refused by name", () => {
    const refused = (file: string) => expect(() => parseNpy(bytesOf(file), "f.npz: 'x.npy'"));
    refused(numpy.refused.object).toThrow("f.npz: 'x.npy': elements of type '|O' (Python objects)");
    refused(numpy.refused.record).toThrow("records with the fields 'a'");
    expect(() => parseNpy(new TextEncoder().encode("<html>"), "x")).toThrow(
      "x: 6 bytes that do not begin as",
    );
  });

  test("any truncation is a named error", () => {
    const bytes = bytesOf(numpy.kinds["<f4"].file);
    for (let length = 0; length < bytes.length; length++)
      expect(() => parseNpy(bytes.subarray(0, length), "cut")).toThrow(/^cut: /);
    expect(() => parseNpy(Uint8Array.of(...bytes, 0), "long")).toThrow("long: bytes after the array");
  });

  test("any flipped bit of the header is a named error or changes nothing but the way of reading", () => {
    const whole = bytesOf(numpy.kinds["<f4"].file);
    const headerBits = 8 * (whole.length - 24);
    for (let bit = 0; bit < headerBits; bit++) {
      const bytes = whole.slice();
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      try {
        const { shape, type } = parseNpy(bytes, "flipped");
        // '<f4' and '<i4' are a bit apart from each other, and from '<u4': only the archive's CRC-32 can tell.
        expect(shape.reduce((product, size) => product * size, 1)).toBe(6);
        expect(type).toMatch(/32$/);
      } catch (error) {
        expect((error as Error).message).toMatch(/^flipped: /);
      }
    }
  });
});

describe("archives", () => {
  test("that NumPy wrote are read, compressed or not", async () => {
    for (const bytes of [compressed, stored]) {
      const arrays = await readNpz({ name: "small.npz", bytes });
      expect([...arrays.keys()]).toEqual(Object.keys(numpy.npz.arrays));
      for (const [name, { shape, data }] of Object.entries(numpy.npz.arrays)) {
        expect(arrays.get(name)?.shape).toEqual(shape);
        expect(Array.from(arrays.get(name)?.data ?? [])).toEqual(data);
      }
    }
  });

  test("any truncation is a named error", async () => {
    for (let length = 0; length < compressed.length; length++)
      await expect(
        npzDataset({ name: "cut.npz", bytes: compressed.subarray(0, length) }, { targets: "classes" }),
        `${length} bytes`,
      ).rejects.toThrow(/^cut.npz: /);
  });

  test("any flipped bit is a named error or changes nothing", async () => {
    const expected = await npzDataset({ name: "small.npz", bytes: stored }, { targets: "classes" });
    await fc.assert(
      fc.asyncProperty(fc.nat(8 * stored.length - 1), async (bit) => {
        const bytes = stored.slice();
        bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
        await npzDataset({ name: "small.npz", bytes }, { targets: "classes" }).then(
          (dataset) => expect(dataset).toEqual(expected),
          (error: Error) => expect(error.message).toMatch(/^small.npz: /),
        );
      }),
      { numRuns: 300 },
    );
  });
});

describe("examples", () => {
  const dataset = async (
    arrays: Record<string, Uint8Array>,
    options: Partial<Parameters<typeof npzDataset>[1]> = {},
  ) => npzDataset({ name: "own.npz", bytes: await npz(arrays) }, { targets: "classes", ...options });
  const inputs = npy("<f4", [4, 3], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  const labels = npy("<i4", [4], [0, 1, 2, -100]);

  test("come from the usual arrays: pixels with a test part of their own", async () => {
    const {
      train,
      test: held,
      classes,
      normalization,
    } = await npzDataset({ name: "small.npz", bytes: compressed }, { targets: "classes" });
    const { arrays } = numpy.npz;
    expect(train).toEqual({
      count: 5,
      shape: [2, 2],
      inputs: Uint8Array.from(arrays.x_train.data),
      labels: Int32Array.from(arrays.y_train.data),
    });
    expect(Array.from(held.inputs)).toEqual(arrays.x_test.data);
    expect(classes).toBe(3);
    const mean = arrays.x_train.data.reduce((sum, value) => sum + value / 255, 0) / 20;
    expect((normalization.mean as number[])[0]).toBeCloseTo(mean, 12);
  });

  test("are split the same way each time where there is no test part", async () => {
    const first = await dataset({ inputs, labels }, { testFraction: 0.25 });
    expect([first.train.count, first.test.count]).toEqual([3, 1]);
    expect(await dataset({ inputs, labels }, { testFraction: 0.25 })).toEqual(first);
    const all = await dataset({ inputs, labels }, { testFraction: 1 });
    expect(all.test.inputs).toEqual(Float32Array.from({ length: 12 }, (_, at) => at));
    expect(all.train.count).toBe(0);
  });

  test("have target values where asked, of any size", async () => {
    const targets = npy("<f4", [4, 2], [1, 2, 3, 4, 5, 6, 7, 8]);
    const { train, classes, targetNormalization } = await dataset(
      { a: inputs, b: targets, c: inputs, d: targets },
      { targets: "values", arrays: ["a", "b", "c", "d"] },
    );
    expect(classes).toBe(0);
    expect(train.labels).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    expect(targetNormalization?.mean).toEqual([4, 5]);
  });

  test("that do not fit are refused by file and array", async () => {
    const refused = (
      arrays: Record<string, Uint8Array>,
      options?: Partial<Parameters<typeof npzDataset>[1]>,
    ) => expect(dataset(arrays, options)).rejects;
    await refused({ inputs }).toThrow("own.npz: has the arrays 'inputs' float32 [4,3], expected x_train");
    await refused({ inputs, labels }, { arrays: ["inputs", "label"] }).toThrow("own.npz: no array 'label'");
    await refused({ inputs, labels: npy("<i4", [3], [0, 1, 2]) }).toThrow(
      "own.npz: 'inputs' has 4 examples and 'labels' has the shape [3]",
    );
    await refused({ inputs, labels: npy("<f4", [4], [0, 1, 0.5, 1]) }).toThrow(
      "'labels' holds 0.5 for example 2, expected class numbers from 0",
    );
    await refused({ inputs, labels: npy("<f4", [4, 2], [0, 1, 1, 0, 0, 1, 1, 0]) }).toThrow(
      "take the argmax",
    );
    await refused({ inputs: npy("<f4", [4], [0, 1, 2, 3]), labels }).toThrow("at least two axes");
    await refused({ inputs: npy("<f4", [4, 1], [0, 1, Number.NaN, 3]), labels }).toThrow(
      "own.npz: 'inputs' with 'labels': example 2 has NaN among its inputs",
    );
  });
});
