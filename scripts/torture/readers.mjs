/** Every kind of file that the program reads: where files of it by other programs lie, and what reads them. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { decodeImage, npzDataset, parseIdx, parseNpy, tableDataset } from "../../dist/data.js";
import { compileObjective, crossEntropy, deriveFile, mlp, train } from "../../dist/index.js";
import { decodePicture, loadCheckpoint, nodeRuntime } from "../../dist/node.js";
import { decodeModel, decodeSafetensors, printModel } from "../../dist/onnx.js";

const cases = resolve(import.meta.dirname, "../../test/cases");
const runtime = nodeRuntime({ threads: 1 });

/** A store in memory. */
export function memoryStore(files = new Map()) {
  const kept = (name) => files.get(name) ?? new Uint8Array();
  return {
    files,
    describe: "memory",
    read: async (name) => files.get(name),
    write: async (name, bytes) => void files.set(name, bytes.slice()),
    append: async (name, text) => void files.set(name, Buffer.concat([kept(name), Buffer.from(text)])),
    truncate: async (name, length) => void (files.has(name) && files.set(name, kept(name).slice(0, length))),
  };
}

/** A small run, which starts and ends in memory. */
const points = Float32Array.from({ length: 128 }, (_, index) => (((index + 1) * 0.7548776662) % 1) * 2 - 1);
export const smallRun = {
  model: mlp({ input: [2], hidden: [4], outputs: 2, activation: "tanh", seed: 1 }),
  examples: {
    inputs: points,
    labels: Int32Array.from({ length: 64 }, (_, index) =>
      Number(Math.hypot(points[2 * index], points[2 * index + 1]) < 0.8),
    ),
  },
  runtime,
  batch: 16,
  steps: 12,
  tangents: 2,
  learningRate: 0.1,
};

export async function runSmall(store, options = {}) {
  const warnings = [];
  for await (const event of train({ ...smallRun, store, ...options }))
    if (event.kind === "warning") warnings.push(event.message);
  return warnings;
}

const filesOf = (pattern) => () =>
  readdirSync(cases, { recursive: true })
    .filter((name) => pattern.test(name) && statSync(join(cases, name)).size < 20_000)
    .sort()
    .map((name) => ({ name: basename(name), bytes: readFileSync(join(cases, name)) }));

const finished = async () => {
  const store = memoryStore();
  await runSmall(store);
  return store;
};

/** IDX, the format of MNIST: type and rank, big-endian sizes, the numbers. */
function idxFiles() {
  const file = (type, sizes, data) => {
    const head = Buffer.alloc(4 + 4 * sizes.length);
    head.set([0, 0, type, sizes.length]);
    for (const [axis, size] of sizes.entries()) head.writeUInt32BE(size, 4 + 4 * axis);
    return Buffer.concat([head, Buffer.from(data)]);
  };
  const pixels = Array.from({ length: 5 * 4 * 3 }, (_, index) => (index * 37) % 256);
  return [
    { name: "images.idx", bytes: file(8, [5, 4, 3], pixels) },
    { name: "labels.idx", bytes: file(8, [5], [3, 1, 4, 1, 5]) },
  ];
}

/** By kind: the files to begin with, and what reads one, which may refuse it; `base` is the file before it was changed. */
export const readers = {
  onnx: {
    bases: filesOf(/\.onnx$/),
    async read({ name, bytes }) {
      const model = decodeModel(bytes, { source: name });
      printModel(model);
      const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch: 2 });
      deriveFile(objective, { tangents: 2, perExample: false, parameters: "inputs" });
    },
  },
  npz: { bases: filesOf(/\.npz$/), read: (file) => npzDataset(file, { targets: "classes" }) },
  npy: { bases: npyFiles, read: ({ name, bytes }) => parseNpy(bytes, name) },
  csv: {
    bases: filesOf(/\.csv$/),
    read: (file) => tableDataset(file, { target: lastColumn(file.base), targets: "classes" }),
  },
  png: {
    bases: filesOf(/\.png$/),
    read: ({ name, bytes }) => decodeImage(bytes, name, { decode: decodePicture }),
  },
  jpeg: {
    bases: filesOf(/\.jpe?g$/),
    read: ({ name, bytes }) => decodeImage(bytes, name, { decode: decodePicture }),
  },
  idx: { bases: idxFiles, read: ({ name, bytes }) => parseIdx(bytes, name) },
  safetensors: {
    bases: async () => {
      const { files } = await finished();
      return [...files]
        .filter(([name]) => name.endsWith(".safetensors"))
        .map(([name, bytes]) => ({ name: basename(name), bytes }));
    },
    async read({ name, bytes }) {
      await loadCheckpoint(memoryStore(new Map([[`checkpoint/state.safetensors`, bytes]])));
      decodeSafetensors(bytes, name);
    },
  },
  "config.json": {
    bases: async () => [{ name: "config.json", bytes: (await finished()).files.get("config.json") }],
    async read({ bytes }) {
      kept ??= finished();
      const store = await kept;
      await runSmall(memoryStore(new Map([...store.files, ["config.json", bytes]])), { resume: true });
    },
  },
};

let kept;

function npyFiles() {
  const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }";
  const head = header.padEnd(117, " ").concat("\n");
  const written = Buffer.concat([
    Buffer.from("\x93NUMPY\x01\x00v\x00", "latin1"),
    Buffer.from(head),
    Buffer.alloc(48, 1),
  ]);
  return [...filesOf(/\.npy$/)(), { name: "written.npy", bytes: written }];
}

function lastColumn(bytes) {
  return bytes
    .toString("utf8")
    .split(/\r?\n/)[0]
    .split(/[,;\t]/)
    .at(-1);
}
