import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { gunzip } from "./gzip.ts";
import { parseIdx } from "./idx.ts";

/** An IDX file of unsigned bytes with that shape, counting up. */
function idxFile(shape: readonly number[]): Uint8Array {
  const size = shape.reduce((product, length) => product * length, 1);
  const bytes = new Uint8Array(4 + 4 * shape.length + size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x0800 + shape.length);
  shape.forEach((length, axis) => {
    view.setUint32(4 + 4 * axis, length);
  });
  for (let i = 0; i < size; i++) bytes[4 + 4 * shape.length + i] = i % 256;
  return bytes;
}

const shapes = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 4 });

test("reads shape and data back", () => {
  fc.assert(
    fc.property(shapes, (shape) => {
      const bytes = idxFile(shape);
      const parsed = parseIdx(bytes, "digits");
      expect(parsed.shape).toEqual(shape);
      expect(parsed.data).toEqual(bytes.subarray(4 + 4 * shape.length));
    }),
  );
});

test("reads a file that is a view into a larger buffer", () => {
  const bytes = idxFile([2, 3]);
  const larger = new Uint8Array(bytes.length + 9);
  larger.set(bytes, 5);
  expect(parseIdx(larger.subarray(5, 5 + bytes.length), "digits").shape).toEqual([2, 3]);
});

test("any truncation is a named error", () => {
  fc.assert(
    fc.property(shapes, fc.nat(), (shape, pick) => {
      const bytes = idxFile(shape);
      expect(() => parseIdx(bytes.subarray(0, pick % bytes.length), "digits")).toThrow(
        /^digits: truncated IDX/,
      );
    }),
  );
});

test("any flipped bit of the header is a named error", () => {
  fc.assert(
    fc.property(shapes, fc.nat(), (shape, pick) => {
      const bytes = idxFile(shape);
      const bit = pick % (8 * (4 + 4 * shape.length));
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(() => parseIdx(bytes, "digits")).toThrow(/^digits: (magic|truncated|trailing|IDX shape)/);
    }),
    { numRuns: 1000 },
  );
});

test("messages say what was received and what was expected", () => {
  const bytes = idxFile([2, 3]);
  expect(() => parseIdx(bytes.subarray(0, 16), "digits")).toThrow(
    "digits: truncated IDX file, received 16 bytes, expected 18 (12 of header and shape [2,3])",
  );
  expect(() => parseIdx(Uint8Array.of(...bytes, 0), "digits")).toThrow(
    "digits: trailing bytes after the IDX data, received 19 bytes, expected 18",
  );
  expect(() => parseIdx(gzipSync(bytes), "digits")).toThrow(
    /^digits: magic number 0x1f8b0800 is gzip, expected an IDX file/,
  );
  expect(() => parseIdx(Uint8Array.of(0, 0, 13, 1, 0, 0, 0, 0), "digits")).toThrow(
    "stands for 32-bit floats",
  );
  expect(() => parseIdx(new TextEncoder().encode("<html>"), "digits")).toThrow(
    "digits: magic number 0x3c68746d, expected",
  );
});

test("gunzip gives back what was compressed", async () => {
  const bytes = idxFile([7, 30]);
  expect(await gunzip(gzipSync(bytes), "digits.gz")).toEqual(bytes);
});

test("truncated gzip is a named error, at every length", async () => {
  const packed = gzipSync(idxFile([7, 30]));
  for (let length = 0; length < packed.length; length++) {
    await expect(gunzip(packed.subarray(0, length), "digits.gz")).rejects.toThrow(
      /^digits.gz: (truncated|not gzip)/,
    );
  }
});

test("a flipped bit in the gzip data or its checksum never gives other content", async () => {
  const bytes = idxFile([7, 30]);
  const packed = gzipSync(bytes);
  let refused = 0;
  for (let bit = 8 * 10; bit < 8 * packed.length; bit++) {
    const flipped = Uint8Array.from(packed);
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
    try {
      // The bits that pad the last byte of the data carry nothing.
      expect(await gunzip(flipped, "digits.gz")).toEqual(bytes);
    } catch (error) {
      expect(String(error)).toContain("digits.gz: truncated or damaged gzip");
      refused++;
    }
  }
  expect(refused).toBeGreaterThanOrEqual(8 * (packed.length - 10) - 7);
});

test("a file that is not gzip says how it begins", async () => {
  await expect(gunzip(idxFile([2]), "labels.gz")).rejects.toThrow(
    'labels.gz: not gzip, received 10 bytes that begin with "0000", expected "1f8b"',
  );
});
