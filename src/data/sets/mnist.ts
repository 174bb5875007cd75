/** MNIST: handwritten digits. */
import { DataError } from "../../errors/errors.ts";
import type { Limits } from "../../limits/limits.ts";
import { checkExamples, type Dataset, type DatasetEntry, type Examples } from "../dataset.ts";
import { gunzip } from "../files/gzip.ts";
import { parseIdx } from "../files/idx.ts";
import type { FileStore, RemoteFiles } from "../store.ts";

/**
 * Where the four files of MNIST are, and the SHA-256 of their uncompressed bytes and of the gzip files, the same on both mirrors.
 * Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
 */
export const mnistFiles: RemoteFiles = {
  mirrors: [
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
  ],
  sha256: {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
  },
  packedSha256: {
    "train-images-idx3-ubyte": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
  },
};

/**
 * Reads MNIST: handwritten digits, inputs [1, 28, 28] bytes, ten classes.
 * @throws when a file is missing or damaged, or images and labels do not agree.
 */
export function mnist(store: FileStore, limits: Partial<Limits> = {}): Promise<Dataset> {
  const about = {
    name: "mnist",
    classes: 10,
    normalization: { mean: 0.1307, standardDeviation: 0.3081 },
  };
  return readMnistFiles(store, about, limits);
}

/**
 * Reads the four files of MNIST or of a dataset that took over its format.
 * Files may be gzipped (`.gz`) or not, and spelled `train-images-idx3-ubyte` or `train-images.idx3-ubyte`.
 * @throws when a file is missing or damaged, or images and labels do not agree.
 */
export async function readMnistFiles(
  store: FileStore,
  about: Omit<Dataset, "train" | "test">,
  limits: Partial<Limits> = {},
): Promise<Dataset> {
  return {
    ...about,
    train: await readSplit(store, "train", about, limits),
    test: await readSplit(store, "t10k", about, limits),
  };
}

export const mnistEntry: DatasetEntry = {
  name: "mnist",
  summary: "handwritten digits, 28×28, 60,000 to train and 10,000 to test (11 MB to download)",
  files: mnistFiles,
  load({ store, limits }) {
    if (store === undefined) {
      throw new DataError(
        "mnist: needs its four files, received no store; pass a folder or a download store",
      );
    }
    return mnist(store, limits);
  },
};

async function readSplit(
  store: FileStore,
  split: "train" | "t10k",
  { name, classes }: { readonly name: string; readonly classes: number },
  limits: Partial<Limits>,
): Promise<Examples> {
  const images = await readIdx(store, name, `${split}-images`, "idx3-ubyte", limits);
  const labels = await readIdx(store, name, `${split}-labels`, "idx1-ubyte", limits);
  const [count, height, width] = images.shape;
  if (count === undefined || images.shape.length !== 3 || height !== 28 || width !== 28) {
    throw new DataError(
      `${images.source}: shape [${images.shape}], expected [count,28,28]; check that this is the file of images`,
      { source: images.source },
    );
  }
  if (labels.shape.length !== 1) {
    throw new DataError(
      `${labels.source}: shape [${labels.shape}], expected [count]; check that this is the file of labels`,
      { source: labels.source },
    );
  }
  if (labels.shape[0] !== count) {
    throw new DataError(
      `${images.source} has ${count} images and ${labels.source} has ${labels.shape[0]} labels, ` +
        "expected as many; take both files from the same split",
      { source: images.source },
    );
  }
  const examples: Examples = {
    count,
    shape: [1, 28, 28],
    inputs: images.data,
    labels: Int32Array.from(labels.data),
  };
  checkExamples(examples, labels.source, classes);
  return examples;
}

async function readIdx(
  store: FileStore,
  dataset: string,
  stem: string,
  ending: string,
  limits: Partial<Limits>,
): Promise<{ source: string; shape: number[]; data: Uint8Array }> {
  const names = [`${stem}-${ending}`, `${stem}.${ending}`, `${stem}-${ending}.gz`, `${stem}.${ending}.gz`];
  for (const name of names) {
    const bytes = await store.read(name);
    if (bytes === undefined) continue;
    const source = `${name} (${store.describe})`;
    const content = name.endsWith(".gz") ? await gunzip(bytes, source, limits) : bytes;
    return { source, ...parseIdx(content, source) };
  }
  throw new DataError(`${dataset}: no file ${names.join(", ")} in ${store.describe}; put one of them there`, {
    source: dataset,
  });
}
