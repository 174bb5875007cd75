import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decodeImage } from "../src/data/image.ts";
import expected from "./cases/pictures/expected.golden.json" with { type: "json" };

const bytesOf = (name: string) =>
  new Uint8Array(readFileSync(join(import.meta.dirname, "cases/pictures", name)));

describe("pictures have the pixels that Pillow sees", () => {
  for (const [name, { shape, pixels, storedShape }] of Object.entries(expected)) {
    it(name, () => {
      const picture = decodeImage(bytesOf(name), name);
      expect([picture.height, picture.width, picture.channels]).toEqual([...shape, 1].slice(0, 3));
      expect(Buffer.from(picture.data).toString("base64")).toBe(pixels);
      const stored = decodeImage(bytesOf(name), name, { ignoreOrientation: true });
      expect([stored.height, stored.width]).toEqual(storedShape.slice(0, 2));
    });
  }

  it("where the flat color is known", () => {
    for (const name of ["rgb-adobe.jpg", "ycc-jfif.jpg"] as const) {
      const [red = 0, green = 0, blue = 0] = decodeImage(bytesOf(name), name).data;
      expect(Math.max(Math.abs(red - 200), Math.abs(green - 30), Math.abs(blue - 60))).toBeLessThanOrEqual(1);
    }
  });
});

describe("pictures are refused", () => {
  it("for their size, before memory is taken", () => {
    expect(() => decodeImage(bytesOf("refused-huge.png"), "a.png")).toThrow(
      "a.png: the image has 2147483647×2147483647 pixels (width×height); the limit pixels is 104,857,600",
    );
    expect(() => decodeImage(bytesOf("refused-huge.jpg"), "a.jpg")).toThrow(
      "a.jpg: the image has 65500×65500 pixels",
    );
    const limits = { pixels: 100 };
    expect(() => decodeImage(bytesOf("420.jpg"), "a.jpg", { limits })).toThrow(
      "a.jpg: the image has 23×19 pixels (width×height); the limit pixels is 100. If the file is to be trusted, raise it " +
        "(--limit pixels=N).",
    );
  });

  it("where pixels are transparent", () => {
    expect(() => decodeImage(bytesOf("refused-clear.png"), "a.png")).toThrow(
      "a.png: the image has transparent pixels",
    );
  });

  it("but not for bytes that follow the pixels, which are not unpacked", () => {
    expect(Array.from(decodeImage(bytesOf("small-with-a-long-tail.png"), "a.png").data)).toEqual([1, 2, 3]);
  });
});
