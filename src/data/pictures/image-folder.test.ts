import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { encode } from "fast-png";
import { afterAll, describe, expect, test } from "vitest";
import type { ListedFiles } from "../store.ts";
import { type ImageFolderOptions, imageFolder as imageFolderBy } from "./image-folder.ts";
import { decodePicture } from "./node-picture.ts";

const imageFolder = (files: ListedFiles, options: Partial<ImageFolderOptions> = {}) =>
  imageFolderBy(files, { decode: decodePicture, ...options });

import { folderStore } from "../node-store.ts";

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
        "(size: { height: 2, width: 3 })",
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

  test("are recognized by other names and in any case, and what is passed over is named", async () => {
    for (const [trainName, testName] of [
      ["TRAIN", "Test"],
      ["training", "validation"],
      ["Train", "VAL"],
      ["train", "eval"],
      ["train", "dev"],
    ] as const) {
      const inside = Object.fromEntries(
        Object.entries(gray).map(([path, bytes]) => [`${trainName}/${path}`, bytes]),
      );
      const files = { ...inside, [`${testName}/dogs/9.png`]: png([7]) };
      const dataset = await imageFolder(memoryFiles(files));
      expect([dataset.train.count, dataset.test.count, dataset.test.inputs[0]]).toEqual([5, 1, 7]);
      expect(dataset.classNames).toEqual(["cats", "dogs", "owls"]);
      expect(dataset.warnings).toEqual([]);
      const more = { ...files, "extra/cats/1.png": png([8]), "extra/cats/2.png": png([9]) };
      const { warnings, train } = await imageFolder(memoryFiles(more));
      expect(train.count).toBe(5);
      expect(warnings?.map(String)).toEqual([
        `memory: extra/ is passed over (2 images), because ${trainName}/ and ${testName}/ are read. Take it for itself, or ` +
          "put its images into one of them",
      ]);
    }
    const both = { ...inTrain, "val/cats/9.png": png([8]), "test/dogs/9.png": png([7]) };
    expect((await imageFolder(memoryFiles(both))).warnings?.map(String)[0]).toContain(
      "val/ is passed over (1 images)",
    );
    await expect(imageFolder(memoryFiles({ ...inTrain, "Train/cats/1.png": png([1]) }))).rejects.toThrow(
      /^memory: both (train|Train)\/ and (train|Train)\/, expected one of them/,
    );
  });

  test("are classes where their images lie right in them", async () => {
    const files = { "train/1.png": png([1]), "car/1.png": png([2]), "test/1.png": png([3]) };
    expect((await imageFolder(memoryFiles(files))).classNames).toEqual(["car", "test", "train"]);
    const { warnings } = await imageFolder(memoryFiles({ ...gray, "mice/notes.txt": new Uint8Array() }));
    expect(warnings?.map(String)).toEqual([
      "memory: mice/ is passed over: none of its 1 files is PNG or JPEG, so it is no class",
    ]);
  });

  test("may be a test part alone, for a trained model", async () => {
    const files = memoryFiles({ "Test/dogs/9.png": png([7]), "Test/.DS_Store": png([1]) });
    const { train, test: held } = await imageFolder(files, { classNames: ["cats", "dogs"] });
    expect([train.count, held.count, held.labels[0]]).toEqual([0, 1, 1]);
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

  test.skipIf(process.platform === "win32")(
    "is followed through its links, but not round in circles",
    async () => {
      const linked = mkdtempSync(join(tmpdir(), "forwardgrad-linked-"));
      const elsewhere = mkdtempSync(join(tmpdir(), "forwardgrad-elsewhere-"));
      try {
        mkdirSync(join(elsewhere, "many"));
        writeFileSync(join(elsewhere, "many", "1.png"), png([10]));
        writeFileSync(join(elsewhere, "2.png"), png([20]));
        mkdirSync(join(linked, "dogs"));
        symlinkSync(join(elsewhere, "many"), join(linked, "cats"));
        symlinkSync(join(elsewhere, "2.png"), join(linked, "dogs", "2.png"));
        symlinkSync(linked, join(linked, "dogs", "circle"));
        const files = folderStore(linked);
        expect(await files.list()).toEqual(["cats/1.png", "dogs/2.png"]);
        const { test: all } = await imageFolder(files, { testFraction: 1 });
        expect([all.inputs[0], all.inputs[6], ...all.labels]).toEqual([10, 20, 0, 1]);
        symlinkSync(join(elsewhere, "none.png"), join(linked, "dogs", "3.png"));
        await expect(imageFolder(files)).rejects.toThrow(/^dogs\/3\.png .* a link to nothing/);
      } finally {
        rmSync(linked, { recursive: true });
        rmSync(elsewhere, { recursive: true });
      }
    },
  );
});

describe("pictures of a camera", () => {
  const cases = join(import.meta.dirname, "../../../test/cases/pictures");
  const file = (name: string) => new Uint8Array(readFileSync(join(cases, name)));

  test("are turned as EXIF says, or left as they are stored", async () => {
    const files = memoryFiles({ "a/6.jpg": file("exif-6.jpg"), "b/8.jpg": file("exif-8.jpg") });
    expect((await imageFolder(files)).train.shape).toEqual([3, 23, 19]);
    expect((await imageFolder(files, { ignoreOrientation: true })).train.shape).toEqual([3, 19, 23]);
  });

  test("are refused for their pixels", async () => {
    const files = memoryFiles({ "a/1.png": file("refused-huge.png"), "b/8.jpg": file("exif-8.jpg") });
    await expect(imageFolder(files)).rejects.toThrow("a/1.png (memory): the image has 2147483647×2147483647");
    const small = memoryFiles({ "a/6.jpg": file("exif-6.jpg"), "b/8.jpg": file("exif-8.jpg") });
    await expect(imageFolder(small, { limits: { pixels: 400 } })).rejects.toThrow("a/6.jpg (memory)");
  });
});
