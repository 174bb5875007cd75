import fc from "fast-check";
import { describe, expect, test } from "vitest";
import golden from "../files.golden.json" with { type: "json" };
import { decodeImage } from "./image.ts";
import { decodePicture } from "./node-picture.ts";
import { resize } from "./resize.ts";

const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, "base64"));
const decode = (bytes: Uint8Array, source: string) => decodeImage(bytes, source, { decode: decodePicture });
const { png, jpeg, refused, resized } = golden.images;

/** The largest difference between a file's pixels and those that Pillow sees. */
async function difference({ file, shape, data }: { file: string; shape: number[]; data: number[] }) {
  const picture = await decode(bytesOf(file), "picture");
  expect([picture.height, picture.width]).toEqual(shape.slice(0, 2));
  expect(picture.channels).toBe(shape[2] ?? 1);
  expect(picture.data.length).toBe(data.length);
  return data.reduce(
    (largest, value, at) => Math.max(largest, Math.abs(value - (picture.data[at] as number))),
    0,
  );
}

describe("decoding", () => {
  for (const [name, picture] of Object.entries(png)) {
    test(`PNG ${name} has the pixels that Pillow sees`, async () => {
      expect(await difference(picture)).toBe(0);
    });
  }

  for (const [name, picture] of Object.entries(jpeg)) {
    test(`JPEG ${name} has the pixels that Pillow sees`, async () => {
      expect(await difference(picture)).toBe(0);
    });
  }

  test("what is no opaque gray or RGB image is refused by name", async () => {
    const expectRefused = (file: string) => expect(decode(bytesOf(file), "a/odd")).rejects;
    await expectRefused(refused.clear).toThrow(
      "a/odd: the image has transparent pixels, expected opaque ones",
    );
    await expectRefused(refused.gif).toThrow("a/odd: the file is a GIF image, expected PNG or JPEG");
    await expectRefused(refused.bmp).toThrow("a/odd: the file is a BMP image");
    await expectRefused(refused.webp).toThrow("a/odd: the file is a WebP image");
    await expectRefused(refused.tiff).toThrow("a/odd: the file is a TIFF image");
    await expect(decode(new Uint8Array(), "a/odd")).rejects.toThrow("a/odd: the file is empty");
    await expect(decode(new TextEncoder().encode("hello"), "a/odd")).rejects.toThrow(
      "a/odd: the file is no image",
    );
  });

  test("any truncation is a named error", async () => {
    for (const { file } of [...Object.values(png), ...Object.values(jpeg)]) {
      const bytes = bytesOf(file);
      const end = bytes[0] === 0xff ? bytes.length - 2 : bytes.length;
      for (let length = 0; length < end; length++)
        await expect(
          decode(bytes.subarray(0, length), "cut"),
          `${length} of ${bytes.length}`,
        ).rejects.toThrow(/^cut: /);
    }
  });

  test("any flipped bit of a PNG is a named error or changes nothing", async () => {
    for (const { file } of Object.values(png)) {
      const whole = bytesOf(file);
      const expected = await decode(whole, "flipped");
      for (let bit = 0; bit < 8 * whole.length; bit++) {
        const bytes = whole.slice();
        bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
        try {
          expect(await decode(bytes, "flipped"), `bit ${bit}`).toEqual(expected);
        } catch (error) {
          expect((error as Error).message, `bit ${bit}`).toMatch(/^flipped: /);
        }
      }
    }
  });

  test("a flipped bit of a JPEG, which has no checksum, is a named error or an image", async () => {
    const whole = bytesOf(jpeg.color.file);
    await fc.assert(
      fc.asyncProperty(fc.nat(8 * whole.length - 1), async (bit) => {
        const bytes = whole.slice();
        bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
        try {
          const { width, height, channels, data } = await decode(bytes, "flipped");
          expect(data.length).toBe(width * height * channels);
        } catch (error) {
          expect((error as Error).message).toMatch(/^flipped: /);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("resizing", () => {
  for (const { shape, data } of resized) {
    test(`to ${shape.slice(0, 2).join("×")} gives Pillow's pixels, but for rounding`, async () => {
      const [height = 0, width = 0] = shape;
      const picture = resize(await decode(bytesOf(png.color.file), "picture"), width, height);
      expect([picture.height, picture.width, picture.channels]).toEqual(shape);
      picture.data.forEach((value, at) => {
        // Pillow rounds to bytes between its two passes.
        expect(Math.abs(value - (data[at] as number))).toBeLessThanOrEqual(1);
      });
    });
  }

  test("keeps a flat picture flat, at any size", () => {
    const size = fc.integer({ min: 1, max: 20 });
    fc.assert(
      fc.property(size, size, size, size, fc.nat(255), (width, height, newWidth, newHeight, value) => {
        const data = new Uint8Array(width * height).fill(value);
        const picture = resize({ width, height, channels: 1, data }, newWidth, newHeight);
        expect(picture.data).toEqual(new Uint8Array(newWidth * newHeight).fill(value));
      }),
    );
  });
});
