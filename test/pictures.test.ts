import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decodeImage } from "../src/data/pictures/image.ts";
import { decodePicture } from "../src/data/pictures/node-picture.ts";
import expected from "./cases/pictures/expected.golden.json" with { type: "json" };

const bytesOf = (name: string) =>
  new Uint8Array(readFileSync(join(import.meta.dirname, "cases/pictures", name)));

const decode = (bytes: Uint8Array, source: string, options = {}) =>
  decodeImage(bytes, source, { decode: decodePicture, ...options });

describe("pictures have the pixels that Pillow sees", () => {
  for (const [name, { shape, pixels, storedShape }] of Object.entries(expected)) {
    it(name, async () => {
      const picture = await decode(bytesOf(name), name);
      expect([picture.height, picture.width, picture.channels]).toEqual([...shape, 1].slice(0, 3));
      expect(Buffer.from(picture.data).toString("base64")).toBe(pixels);
      const stored = await decode(bytesOf(name), name, { ignoreOrientation: true });
      expect([stored.height, stored.width]).toEqual(storedShape.slice(0, 2));
    });
  }

  it("where the flat color is known", async () => {
    for (const name of ["rgb-adobe.jpg", "ycc-jfif.jpg"] as const) {
      const [red = 0, green = 0, blue = 0] = (await decode(bytesOf(name), name)).data;
      expect(Math.max(Math.abs(red - 200), Math.abs(green - 30), Math.abs(blue - 60))).toBeLessThanOrEqual(1);
    }
  });
});

describe("pictures are refused", () => {
  it("for their size, before memory is taken", async () => {
    await expect(decode(bytesOf("refused-huge.png"), "a.png")).rejects.toThrow(
      "a.png: the image has 2147483647×2147483647 pixels (width×height); the limit pixels is 104,857,600",
    );
    await expect(decode(bytesOf("refused-huge.jpg"), "a.jpg")).rejects.toThrow(
      "a.jpg: the image has 65500×65500 pixels",
    );
    const limits = { pixels: 100 };
    await expect(decode(bytesOf("420.jpg"), "a.jpg", { limits })).rejects.toThrow(
      "a.jpg: the image has 23×19 pixels (width×height); the limit pixels is 100. If the file is to be trusted, raise it " +
        "(limits: { pixels: … }).",
    );
  });

  it("where pixels are transparent", async () => {
    await expect(decode(bytesOf("refused-clear.png"), "a.png")).rejects.toThrow(
      "a.png: the image has transparent pixels",
    );
  });

  it("but not for bytes that follow the pixels, which are not unpacked", async () => {
    expect(Array.from((await decode(bytesOf("small-with-a-long-tail.png"), "a.png")).data)).toEqual([
      1, 2, 3,
    ]);
  });
});
