import { isArrayOf } from "../../arrays/kind.ts";
import { DataError } from "../../errors/errors.ts";
import type { Limits } from "../../limits/limits.ts";
import { checkExamples, type Dataset, type DatasetEntry, type Examples } from "../dataset.ts";
import { parseMat } from "../files/mat.ts";
import { measureNormalization } from "../normalization.ts";
import type { FileStore, RemoteFiles } from "../store.ts";

/**
 * Where SVHN's cropped digits are, and the SHA-256 of the files.
 * Source: Y. Netzer, T. Wang, A. Coates, A. Bissacco, B. Wu, A. Ng, "Reading Digits in Natural Images with
 * Unsupervised Feature Learning", 2011; http://ufldl.stanford.edu/housenumbers/.
 */
export const svhnFiles: RemoteFiles = {
  mirrors: ["http://ufldl.stanford.edu/housenumbers/"],
  packing: "none",
  sha256: {
    "train_32x32.mat": "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
    "test_32x32.mat": "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
  },
};

const SIDE = 32;
const CHANNELS = 3;
const CLASSES = 10;

/**
 * Reads SVHN: house numbers' digits, inputs [3, 32, 32] bytes, ten classes (the files' label 10 is the digit 0).
 * @throws when a file is missing or damaged, or images and labels do not agree.
 */
export async function svhn(store: FileStore, limits: Partial<Limits> = {}): Promise<Dataset> {
  const train = await readSplit(store, "train_32x32.mat", limits);
  return {
    name: "svhn",
    classes: CLASSES,
    normalization: measureNormalization(train),
    train,
    test: await readSplit(store, "test_32x32.mat", limits),
  };
}

export const svhnEntry: DatasetEntry = {
  name: "svhn",
  summary: "digits of house numbers, 32×32 RGB, 73,257 to train and 26,032 to test (246 MB to download)",
  files: svhnFiles,
  async load({ store, limits }) {
    if (store === undefined) {
      throw new DataError("svhn: needs its two files, received no store; pass a folder or a download store");
    }
    return svhn(store, limits);
  },
};

async function readSplit(store: FileStore, name: string, limits: Partial<Limits>): Promise<Examples> {
  const bytes = await store.read(name);
  if (bytes === undefined) {
    throw new DataError(`svhn: no file ${name} in ${store.describe}; put it there`);
  }
  const source = `${name} (${store.describe})`;
  const arrays = await parseMat(bytes, source, limits);
  const [images, numbers] = [arrays.get("X"), arrays.get("y")];
  if (images === undefined || numbers === undefined) {
    throw new DataError(
      `${source}: holds the arrays ${[...arrays.keys()].join(", ") || "none"}, expected X and y; ` +
        "check that this is a file of SVHN's cropped digits",
      { source },
    );
  }
  const [height, width, channels, count = 1] = images.shape;
  const isBytes = isArrayOf("Uint8Array", images.data);
  if (height !== SIDE || width !== SIDE || channels !== CHANNELS || images.shape.length > 4 || !isBytes) {
    throw new DataError(
      `${source}: X has shape [${images.shape}]${isBytes ? "" : " and no bytes"}, expected bytes of shape ` +
        `[${SIDE},${SIDE},${CHANNELS},count]; check that this is a file of SVHN's cropped digits`,
      { source },
    );
  }
  if (numbers.data.length !== count) {
    throw new DataError(
      `${source}: X has ${count} images and y has ${numbers.data.length} labels, expected as many; get the file again`,
      { source },
    );
  }
  const wrong = numbers.data.findIndex(
    (number) => !(Number.isInteger(number) && number >= 1 && number <= 10),
  );
  if (wrong !== -1) {
    throw new DataError(
      `${source}: example ${wrong} has label ${numbers.data[wrong]}, expected 1 to 10 (10 is the digit 0); get the file again`,
      { source },
    );
  }
  const examples = {
    count,
    shape: [CHANNELS, SIDE, SIDE],
    inputs: rowMajor(images.data as Uint8Array, count),
    labels: Int32Array.from(numbers.data, (number) => number % 10),
  };
  checkExamples(examples, source, CLASSES);
  return examples;
}

/** [count, channels, height, width] from MATLAB's order, in which rows vary fastest: each image is transposed. */
function rowMajor(data: Uint8Array, count: number): Uint8Array {
  const out = new Uint8Array(data.length);
  for (let plane = 0; plane < count * CHANNELS; plane++) {
    const start = plane * SIDE * SIDE;
    for (let row = 0; row < SIDE; row++)
      for (let column = 0; column < SIDE; column++)
        out[start + row * SIDE + column] = data[start + column * SIDE + row] as number;
  }
  return out;
}
