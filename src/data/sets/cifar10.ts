/** CIFAR-10: photos of ten kinds of things. */
import { DataError } from "../../errors/errors.ts";
import type { Limits } from "../../limits/limits.ts";
import { checkExamples, type Dataset, type DatasetEntry, type Examples } from "../dataset.ts";
import { gunzip } from "../files/gzip.ts";
import { parseTar } from "../files/tar.ts";
import { measureNormalization } from "../normalization.ts";
import type { FileStore, RemoteFiles } from "../store.ts";

/**
 * Where the binary version of CIFAR-10 is, and the SHA-256 of the archive.
 * Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009;
 * https://www.cs.toronto.edu/~kriz/cifar.html.
 */
export const cifar10Files: RemoteFiles = {
  mirrors: ["https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/"],
  packing: "none",
  sha256: {
    "cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
  },
};

const classNames = [
  "airplane",
  "automobile",
  "bird",
  "cat",
  "deer",
  "dog",
  "frog",
  "horse",
  "ship",
  "truck",
] as const;

const shape = [3, 32, 32] as const;
/** A label byte, then 1,024 bytes each of red, green and blue, row by row. */
const RECORD = 1 + 3 * 32 * 32;
const BATCHES = 5;

/**
 * Reads records of CIFAR-10's binary version.
 * @param source the file's name, for messages.
 * @returns inputs [count, 3, 32, 32] and labels.
 * @throws when the length is no whole number of records, or a label is not one of ten.
 */
export function parseCifar10(bytes: Uint8Array, source: string): Examples {
  const count = bytes.length / RECORD;
  if (count === 0 || !Number.isInteger(count)) {
    throw new DataError(
      `${source}: ${bytes.length} bytes, expected records of ${RECORD} bytes (a label and 3×32×32 pixels); ` +
        "check that this is CIFAR-10's binary version, whole and decompressed",
      { source },
    );
  }
  const inputs = new Uint8Array(count * (RECORD - 1));
  const labels = new Int32Array(count);
  for (let record = 0; record < count; record++) {
    const start = record * RECORD;
    labels[record] = bytes[start] as number;
    inputs.set(bytes.subarray(start + 1, start + RECORD), record * (RECORD - 1));
  }
  const examples = { count, shape, inputs, labels };
  checkExamples(examples, source, classNames.length);
  return examples;
}

/**
 * Reads CIFAR-10: photographs of ten kinds of things, inputs [3, 32, 32] bytes.
 *
 * The store holds `data_batch_1.bin` to `data_batch_5.bin` (fewer make a smaller training set) and `test_batch.bin`,
 * gzipped (`.gz`) or not, by themselves or in the folder `cifar-10-batches-bin`; or the archive
 * `cifar-10-binary.tar.gz`.
 * @throws when a file is missing or damaged.
 */
export async function cifar10(store: FileStore, limits: Partial<Limits> = {}): Promise<Dataset> {
  const files = (await openArchive(store, limits)) ?? store;
  const first = await readBatchFile(files, "data_batch_1.bin", limits);
  const test = await readBatchFile(files, "test_batch.bin", limits);
  if (first === undefined || test === undefined) {
    throw new DataError(
      `cifar10: no file ${first === undefined ? "data_batch_1.bin" : "test_batch.bin"} in ${files.describe}, ` +
        `gzipped or not, by itself or in cifar-10-batches-bin/${files === store ? ", and no cifar-10-binary.tar.gz" : ""}; ` +
        "put the files of CIFAR-10's binary version there",
    );
  }
  const batches = [first];
  for (let number = 2; number <= BATCHES; number++) {
    const batch = await readBatchFile(files, `data_batch_${number}.bin`, limits);
    if (batch && batches.length < number - 1) {
      throw new DataError(
        `cifar10: ${files.describe} has data_batch_${number}.bin but no data_batch_${batches.length + 1}.bin; ` +
          "add the missing file",
      );
    }
    if (batch) batches.push(batch);
  }
  const train = joined(batches);
  return {
    name: "cifar10",
    classes: classNames.length,
    classNames,
    normalization: measureNormalization(train),
    train,
    test,
  };
}

export const cifar10Entry: DatasetEntry = {
  name: "cifar10",
  summary:
    "photographs of ten kinds of things, 32×32 RGB, 50,000 to train and 10,000 to test (170 MB to download)",
  files: cifar10Files,
  async load({ store, limits }) {
    if (store === undefined) {
      throw new DataError("cifar10: needs its files, received no store; pass a folder or a download store");
    }
    return cifar10(store, limits);
  },
};

/** The files inside the archive, where the store has it. */
async function openArchive(store: FileStore, limits: Partial<Limits>): Promise<FileStore | undefined> {
  const name = "cifar-10-binary.tar.gz";
  const packed = await store.read(name);
  if (packed === undefined) return undefined;
  const source = `${name} (${store.describe})`;
  const files = parseTar(await gunzip(packed, source, limits), source);
  return { describe: source, read: async (path) => files.get(path) };
}

async function readBatchFile(
  store: FileStore,
  name: string,
  limits: Partial<Limits>,
): Promise<Examples | undefined> {
  for (const path of [name, `cifar-10-batches-bin/${name}`]) {
    for (const ending of ["", ".gz"]) {
      const bytes = await store.read(path + ending);
      if (bytes === undefined) continue;
      const source = `${path}${ending} (${store.describe})`;
      return parseCifar10(ending === "" ? bytes : await gunzip(bytes, source, limits), source);
    }
  }
  return undefined;
}

function joined(parts: readonly Examples[]): Examples {
  const count = parts.reduce((total, part) => total + part.count, 0);
  const inputs = new Uint8Array(count * (RECORD - 1));
  const labels = new Int32Array(count);
  let at = 0;
  for (const part of parts) {
    inputs.set(part.inputs, at * (RECORD - 1));
    labels.set(part.labels, at);
    at += part.count;
  }
  return { count, shape, inputs, labels };
}
