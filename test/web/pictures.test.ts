/** Pictures as a page decodes them, beside what Pillow sees. */
import { describe, expect, it } from "vitest";
import { decodeImage } from "../../src/data/pictures/image.ts";
import { decodePicture } from "../../src/web.ts";
import expected from "../cases/pictures/expected.golden.json" with { type: "json" };

declare function fetch(address: string): Promise<{ arrayBuffer(): Promise<ArrayBuffer> }>;

const bytesOf = async (name: string) =>
  new Uint8Array(
    await (await fetch(new URL(`../cases/pictures/${name}`, import.meta.url).href)).arrayBuffer(),
  );
const decode = async (name: string, options = {}) =>
  decodeImage(await bytesOf(name), name, { decode: decodePicture, ...options });

describe("pictures in a page", () => {
  for (const [name, { shape, pixels, storedShape }] of Object.entries(expected)) {
    it(name, async () => {
      const picture = await decode(name);
      expect([picture.height, picture.width, picture.channels]).toEqual([...shape, 1].slice(0, 3));
      const wanted = Uint8Array.from(atob(pixels), (byte) => byte.charCodeAt(0));
      const most = picture.data.reduce(
        (far, value, at) => Math.max(far, Math.abs(value - (wanted[at] ?? 0))),
        0,
      );
      expect(most).toBeLessThanOrEqual(/cmyk|ycck/.test(name) ? 1 : 0);
      const stored = await decode(name, { ignoreOrientation: true });
      expect([stored.height, stored.width]).toEqual(storedShape.slice(0, 2));
    });
  }

  it("are refused for their size, before memory is taken, and where they are transparent", async () => {
    for (const name of ["refused-huge.png", "refused-huge.jpg"])
      await expect(decode(name)).rejects.toThrow("the limit pixels is 104,857,600");
    await expect(decode("refused-clear.png")).rejects.toThrow("the image has transparent pixels");
  });
});
