/** What users catch: the built package's errors, by class, for files and calls of other programs' making. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { run, temporaryFolder } from "./cli.ts";

const built = (name: string) => pathToFileURL(resolve(import.meta.dirname, `../dist/${name}.js`)).href;
const library = (await import(built("index"))) as typeof import("../src/index.ts");
const onnx = (await import(built("onnx"))) as typeof import("../src/onnx.ts");
const files = (await import(built("data"))) as typeof import("../src/data.ts");
const node = (await import(built("node"))) as typeof import("../src/node.ts");
const { DataError, DeviceError, DivergenceError, ForwardgradError } = library;
const { ModelError, SettingError, StorageError, UnsupportedOpError } = library;

const cases = join(import.meta.dirname, "cases");
const runtime = node.nodeRuntime({ threads: 1 });
const file = (name: string) => ({
  name: basename(name),
  bytes: new Uint8Array(readFileSync(join(cases, name))),
});

/** What is thrown, in the code or in what it promises. */
async function thrown(code: () => unknown): Promise<Error> {
  try {
    await code();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

/** Is of that class and name, of the family, and holds these properties. */
async function expectThrown(
  kind: abstract new (...given: never[]) => Error,
  code: () => unknown,
  holds: Readonly<Record<string, unknown>>,
): Promise<Error> {
  const error = await thrown(code);
  expect(error).toBeInstanceOf(kind);
  expect(error).toBeInstanceOf(ForwardgradError);
  expect(error).toMatchObject({ name: kind.name, ...holds });
  expect(error.message).not.toMatch(/\[object|undefined/);
  return error;
}

const loss = library.crossEntropy();
const compile = (name: string, options = {}) =>
  library.compileObjective({ model: node.loadModel(join(cases, name)), loss, runtime, batch: 2, ...options });

describe("an op without a rule is an UnsupportedOpError, which names it", () => {
  // Written by skl2onnx.
  it.each([
    ["forest", "TreeEnsembleClassifier"],
    ["logistic", "LinearClassifier"],
    ["machine", "SVMClassifier"],
  ])("%s.onnx", async (name, op) => {
    const holds = { op, domain: "ai.onnx.ml", node: expect.stringMatching(/./) };
    const error = await expectThrown(UnsupportedOpError, () => compile(`classical/${name}.onnx`), holds);
    expect(error).toBeInstanceOf(ModelError);
  });
});

describe("a model that is damaged or unfit is a ModelError, which names the file", () => {
  it.each([
    ["hostile/dims-negative.onnx", {}],
    ["hostile/bomb-nesting.onnx", {}],
    ["hostile/external-above.onnx", {}],
    ["not-finite/nan-weight.onnx", { loss: library.meanSquaredError() }],
  ])("%s", async (name, options) => {
    const source = expect.stringContaining(name);
    await expectThrown(ModelError, () => compile(name, options), { source });
  });
});

describe("data that cannot be read are a DataError, which names the place", () => {
  const table = (name: string) =>
    files.tableDataset(file(name), { target: "none", targets: "values", columns: [] });
  const column = (name: string, target: string) =>
    files.tableDataset(file(name), { target, targets: "values" });

  it.each([
    ["tables/mixed.csv", () => column("tables/mixed.csv", "price"), { row: 2, column: "price" }],
    ["tables/units.csv", () => column("tables/units.csv", "weight"), { row: 2, column: "weight" }],
    ["exports/latin1-end.csv", () => table("exports/latin1-end.csv"), {}],
    ["exports/survey.dta", () => table("exports/survey.dta"), {}],
    ["numpy-files/complex.npz", () => files.readNpz(file("numpy-files/complex.npz")), {}],
  ])("%s", async (name, code, holds) => {
    await expectThrown(DataError, code, { source: expect.stringContaining(basename(name)), ...holds });
  });
});

describe("a call that cannot be meant is a SettingError, which names the option and what is like it", () => {
  it.each([
    ["a range", () => library.sgd({ momentum: 1 }), { option: "optimizer.momentum" }],
    [
      "a device",
      () => node.nodeRuntime({ device: "webgp" as "webgpu" }),
      { option: "device", neighbours: ['"webgpu"'] },
    ],
    [
      "a column",
      () => files.tableDataset(file("tables/mixed.csv"), { target: "prices", targets: "values" }),
      { option: "target", neighbours: ["price"] },
    ],
    ["a limit", () => onnx.decodeModel(new Uint8Array(), { limits: { nodes: 0 } }), { option: "limits" }],
    [
      "an output",
      () => compile("not-finite/log-of-zero.onnx", { output: "nope", loss: library.meanSquaredError() }),
      { option: "output" },
    ],
  ])("%s", async (_, code, holds) => {
    await expectThrown(SettingError, code, holds);
  });
});

describe("a run that leaves what its losses mean is a DivergenceError", () => {
  // Written by torch.onnx.export.
  it.each(["log-of-zero", "division-by-zero", "root-at-zero"])("%s.onnx", async (name) => {
    const examples = { inputs: new Float32Array(24).fill(1), labels: new Float32Array(16).fill(1) };
    const settings = { validation: 0, batch: 4, steps: 2, loss: library.meanSquaredError(), runtime };
    const model = node.loadModel(join(cases, `not-finite/${name}.onnx`));
    const finish = async () => {
      for await (const event of library.train({ model, examples, ...settings })) void event;
    };
    await expectThrown(DivergenceError, finish, { message: expect.stringMatching(/Training stopped/) });
  });
});

describe("a run's files that are not what they were are a StorageError, which names them", () => {
  const model = library.mlp({ input: [3], hidden: [], outputs: 2 });
  const settings = {
    ...{ model, runtime, loss: library.meanSquaredError(), steps: 2, batch: 4 },
    examples: { inputs: new Float32Array(30).fill(1), labels: new Float32Array(20).fill(1) },
  };
  const trainIn = async (folder: string, options = {}) => {
    const store = node.runFolder(folder);
    for await (const event of library.train({ ...settings, store, ...options })) void event;
  };

  it("a folder of another run, a damaged checkpoint, a file in the folder's way", async () => {
    const folder = join(temporaryFolder(), "run");
    await trainIn(folder);
    await expectThrown(StorageError, () => trainIn(folder), { path: folder });
    await expectThrown(StorageError, () => trainIn(folder, { resume: true, steps: 3 }), { path: folder });
    const checkpoints = ["state", "state-2"].map((name) => join(folder, "checkpoint", `${name}.safetensors`));
    for (const path of checkpoints)
      if (existsSync(path)) writeFileSync(path, readFileSync(path).subarray(0, -1));
    const holds = { path: folder, message: expect.stringContaining("safetensors") };
    await expectThrown(StorageError, () => trainIn(folder, { resume: true }), holds);
    const taken = join(temporaryFolder(), "taken");
    writeFileSync(taken, "");
    await expectThrown(StorageError, () => trainIn(taken), { path: expect.stringContaining(taken) });
  });
});

describe("what the machine lacks is a DeviceError", () => {
  /** The name of the class that a program of its own catches, and what the error holds. */
  const caught = (code: string, flags: readonly string[] = [], env = {}) => {
    const program = `
      import { DeviceError, mlp } from "${built("index")}";
      import { nodeRuntime } from "${built("node")}";
      import { encodeGraph } from "${built("onnx")}";
      const network = () => encodeGraph(mlp({ input: [2], hidden: [], outputs: 2 }));
      try { ${code} } catch (error) {
        console.log(JSON.stringify([error instanceof DeviceError, error.name, error.device ?? "none"]));
      }`;
    const args = [...flags, "--input-type=module", "--eval", program];
    const printed = execFileSync(process.execPath, args, {
      encoding: "utf8",
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "ignore"],
    });
    return JSON.parse(printed);
  };

  it("a driver that is not there", () => {
    const missing = { VK_DRIVER_FILES: "/missing/driver.json" };
    expect(caught('await nodeRuntime({ device: "webgpu" }).createSession(network())', [], missing)).toEqual([
      true,
      "DeviceError",
      "webgpu",
    ]);
  });

  it.skipIf(existsSync("/dev/nvidia0"))("a card that is not there", async () => {
    const model = onnx.encodeGraph(library.mlp({ input: [2], hidden: [], outputs: 2 }));
    const session = () => node.nodeRuntime({ device: "cuda" }).createSession(model);
    await expectThrown(DeviceError, session, { device: "cuda" });
  });

  it("an engine without WebAssembly", () => {
    expect(caught("network()", ["--jitless"])).toEqual([true, "DeviceError", "none"]);
  });
});

describe("in another realm", () => {
  it("a worker's error keeps its name and what it holds", async () => {
    const code = `import(${JSON.stringify(built("data"))}).then(({ tableDataset }) => {
      const bytes = new TextEncoder().encode("x,y\\n1,2\\n,4\\n");
      try {
        tableDataset({ name: "t.csv", bytes }, { target: "y", targets: "values" });
      } catch (error) {
        // An error in a promise's callback would be a rejection, which Node wraps in its own way.
        setImmediate(() => { throw error; });
      }
    })`;
    const worker = new Worker(code, { eval: true });
    const [error] = await once(worker, "message").catch((cause) => [cause]);
    expect(error).not.toBeInstanceOf(DataError);
    expect(error).toMatchObject({ name: "DataError", source: "t.csv", row: 3, column: "x" });
    expect(error.message).toContain("row 3, column 'x': the value is missing");
    expect(error.mentions.map(({ option }: { option: string }) => option)).toEqual(["ignore"]);
    const copy = structuredClone(await thrown(() => library.sgd({ momentum: 2 })));
    expect([copy.name, copy.message]).toEqual([
      "Error",
      "optimizer.momentum must be a number from 0 to below 1, received 2.",
    ]);
  });
});

describe("the command line", () => {
  it("says flags where the library says options, and exits as before", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "t.csv"), "zip,kind\n01,a\n,b\n");
    const { status, stderr } = run(["train", "--data", "csv", "--data-file", "t.csv", "--target", "kind"], {
      cwd: folder,
    });
    expect(status).toBe(1);
    expect(stderr).toContain("leave the column out (--ignore-columns zip)");
  });
});
