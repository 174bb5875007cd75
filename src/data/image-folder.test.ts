import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { encode } from "fast-png";
import { afterAll, describe, expect, test } from "vitest";
import { type ImageFolderOptions, imageFolder as imageFolderBy } from "./image-folder.ts";
import { decodePicture } from "./node-picture.ts";
import type { ListedFiles } from "./store.ts";

const imageFolder = (files: ListedFiles, options: Partial<ImageFolderOptions> = {}) =>
  imageFolderBy(files, { decode: decodePicture, ...options });

import { folderStore } from "./node-store.ts";

/** A gray image of one value, or a color image of three. */
function png(colors: readonly number[], width = 3, height = 2): Uint8Array {
  const data = Uint8Array.from(
    { length: width * height * colors.length },
    (_, at) => colors[at % colors.length] ?? 0,
  );
  return encode({ width, height, channels: colors.length, depth: 8, data });
}

function memoryFiles(files: Record<string, Uint8Array>): ListedFiles {
  return {
    describe: "memory",
    read: async (name) => files[name],
    list: async () => Object.keys(files).sort(),
  };
}

const gray = {
  "cats/1.png": png([10]),
  "cats/2.png": png([20]),
  "dogs/1.png": png([30]),
  "dogs/old/2.PNG": png([40]),
  "owls/1.png": png([50]),
  "cats/.hidden.png": new Uint8Array(),
  "cats/notes.txt": new Uint8Array(),
  "README.md": new Uint8Array(),
};

describe("class folders at the top", () => {
  test("are split the same way each time", async () => {
    const first = await imageFolder(memoryFiles(gray));
    expect(first).toMatchObject({ classes: 3, classNames: ["cats", "dogs", "owls"] });
    expect([first.train.count, first.test.count]).toEqual([4, 1]);
    expect(first.train.shape).toEqual([1, 2, 3]);
    expect(await imageFolder(memoryFiles(gray))).toEqual(first);
    const { test: all } = await imageFolder(memoryFiles(gray), { testFraction: 1 });
    expect(Array.from(all.labels)).toEqual([0, 0, 1, 1, 2]);
    expect(Array.from(all.inputs.filter((_, at) => at % 6 === 0))).toEqual([10, 20, 30, 40, 50]);
  });

  test("may hold colors: planes of red, green and blue, gray images repeated", async () => {
    const files = memoryFiles({ ...gray, "owls/2.png": png([1, 2, 3]) });
    const { test: all } = await imageFolder(files, { testFraction: 1 });
    expect(all.shape).toEqual([3, 2, 3]);
    const planes = (example: number) => [0, 6, 12].map((at) => all.inputs[18 * example + at]);
    expect(planes(0)).toEqual([10, 10, 10]);
    expect(planes(5)).toEqual([1, 2, 3]);
  });

  test("are brought to one size where asked", async () => {
    const files = memoryFiles({ ...gray, "owls/2.png": png([60], 9, 9) });
    await expect(imageFolder(files)).rejects.toThrow(
      "owls/2.png (memory): 9×9 pixels (height×width), expected 2×3 as in cats/1.png; bring all images to one size " +
        "(--image-size 2x3)",
    );
    const { test: all } = await imageFolder(files, { testFraction: 1, size: { height: 4, width: 5 } });
    expect(all.shape).toEqual([1, 4, 5]);
    expect(Array.from(all.inputs.filter((_, at) => at % 20 === 7))).toEqual([10, 20, 30, 40, 50, 60]);
  });
});

describe("train and test folders", () => {
  const inTrain = Object.fromEntries(Object.entries(gray).map(([path, bytes]) => [`train/${path}`, bytes]));

  test("are taken as they are, val in place of a missing test", async () => {
    for (const name of ["test", "val"]) {
      const dataset = await imageFolder(memoryFiles({ ...inTrain, [`${name}/dogs/9.png`]: png([7]) }));
      expect(dataset.train.count).toBe(5);
      expect(dataset.test).toMatchObject({ count: 1, labels: Int32Array.of(1) });
      expect(dataset.test.inputs[0]).toBe(7);
    }
    const both = { ...inTrain, "val/cats/9.png": png([8]), "test/dogs/9.png": png([7]) };
    expect((await imageFolder(memoryFiles(both))).test.inputs[0]).toBe(7);
    expect((await imageFolder(memoryFiles(inTrain))).train.count).toBe(4);
  });

  test("must have the same classes", async () => {
    await expect(imageFolder(memoryFiles({ ...inTrain, "test/cows/1.png": png([7]) }))).rejects.toThrow(
      "test/cows/1.png (memory): 'cows' is no class, expected one of cats, dogs, owls",
    );
    await expect(imageFolder(memoryFiles(gray), { classNames: ["dogs", "cats"] })).rejects.toThrow(
      "owls/1.png (memory): 'owls' is no class, expected one of dogs, cats",
    );
  });
});

describe("what cannot be read", () => {
  const refused = (files: Record<string, Uint8Array>) => expect(imageFolder(memoryFiles(files))).rejects;

  test("is refused by file", async () => {
    await refused({}).toThrow("memory: no PNG or JPEG images in folders, expected one folder for each class");
    await refused({ "cats/1.png": png([1]) }).toThrow("memory: images of the class 'cats' alone");
    await refused({ ...gray, "1.png": png([1]) }).toThrow(
      "1.png (memory): the image lies in no class folder",
    );
    await refused({ ...gray, "owls/2.webp": png([1]) }).toThrow(
      "owls/2.webp (memory): images of this kind cannot be read",
    );
    await refused({ ...gray, "owls/2.png": png([1]).subarray(0, 50) }).toThrow(
      /^owls\/2.png \(memory\): the image is truncated or damaged/,
    );
    await refused({ ...gray, "owls/2.jpg": new Uint8Array() }).toThrow(
      "owls/2.jpg (memory): the file is empty",
    );
  });
});

describe("a real folder", () => {
  const folder = mkdtempSync(join(tmpdir(), "forwardgrad-images-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  test("is listed with the folders inside", async () => {
    for (const [path, bytes] of Object.entries(gray)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), bytes);
    }
    const { normalization, ...dataset } = await imageFolder(folderStore(folder));
    const { normalization: expected, ...rest } = await imageFolder(memoryFiles(gray));
    expect(dataset).toEqual(rest);
    expect(normalization).toEqual(expected);
  });
});
