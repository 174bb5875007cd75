/** Settings are said once: what follows from their descriptions holds for each of them, and for new ones by itself. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { glyphs } from "../src/data/sets/glyphs.ts";
import { ForwardgradError, SettingError } from "../src/errors/errors.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { lenet5 } from "../src/models/lenet5.ts";
import { mlp } from "../src/models/mlp.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { deriveFile } from "../src/objective/derive.ts";
import { encodeModelFile, modelFrom } from "../src/objective/importing/model-file.ts";
import { graphObjective } from "../src/objective/objective.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { ownSearchOptions, searchOptions } from "../src/search/options.ts";
import { searchLearningRate } from "../src/search/search.ts";
import { nearest } from "../src/settings/nearest.ts";
import type { Option } from "../src/settings/option.ts";
import { loadModel } from "../src/storage/node-model.ts";
import { runFolder } from "../src/storage/node-run-folder.ts";
import { evaluateModel } from "../src/train/evaluation/evaluate-model.ts";
import { createEstimator } from "../src/train/settings/estimator.ts";
import { type TrainOptions, trainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";
import { examples, inputs, labels, memory, model, runtime } from "./circle.ts";

const drawn = { inputs, labels, shape: [2], count: labels.length };

const base = { model, examples, runtime, batch: 32, steps: 3 };

/** Trains as JavaScript would ask for it, to the end. */
async function trained(options: object): Promise<void> {
  for await (const _ of train({ ...base, ...options } as TrainOptions));
}

async function errorOf(run: () => Promise<unknown>): Promise<unknown> {
  try {
    await run();
  } catch (error) {
    return error;
  }
  return undefined;
}

const registryOf = (option: Option) =>
  "registry" in option
    ? (option.registry as Record<string, { readonly options: Record<string, Option> }>)
    : {};

/** Another value than the default of an option that has a place in a run's description. */
const others: Readonly<Record<string, unknown>> = {
  gradient: "simulated",
  perturb: "weights",
  tangents: 5,
  tangentChunk: 7,
  sampler: "gaussian",
  aggregate: "mean",
  lowMemory: true,
  loss: crossEntropy({ smoothing: 0.3 }),
  input: "input",
  fill: { unused: 1 },
  dimensions: { unused: 2 },
  output: "logits",
  adapter: { rank: 2 },
  batchNorm: "batch",
  learningRate: 0.123,
  schedule: "linear",
  optimizer: "adam",
  clip: 1,
  patience: 3,
  quality: { every: 2 },
  batch: 16,
  epochs: 1,
  steps: 2,
  seed: 1,
  validation: 10,
  augment: { flip: true },
  divergenceFactor: 50,
  model: "another model",
  examples: { inputs: inputs.map((value) => -value), labels },
  test: { inputs, labels },
  runtime: { ...runtime, name: "another" },
};
/** Changed by something else than the option's own name, or fit only for models and data that this run has not. */
const elsewhere: Readonly<Record<string, string>> = {
  model: "its bytes decide",
  examples: "named data",
  fill: "the model has one input",
  dimensions: "nothing is open",
  augment: "the examples are no images",
};

describe("a run's identity", () => {
  const entries: readonly (readonly [string, Option])[] = Object.entries(trainOptions);

  it("has every option, or says why not", () => {
    const open = entries.filter(([name, { exempt }]) => exempt === undefined && !(name in others));
    expect(open.map(([name]) => name)).toEqual([]);
    const exempt = entries.filter(([, option]) => option.exempt !== undefined).map(([name]) => name);
    expect(exempt.sort()).toEqual([
      "allowChanges",
      "checkpointSeconds",
      "frozen",
      "inPlace",
      "overwrite",
      "resume",
      "signal",
      "store",
      "trainable",
    ]);
  });

  for (const [name, option] of entries) {
    if (option.exempt !== undefined || name in elsewhere) continue;
    it(`refuses to go on with another ${name}, by name`, async () => {
      const store = memory();
      await trained({ store });
      const change = { [name]: others[name] };
      const error = await errorOf(() => trained({ store, resume: true, ...change }));
      expect(`${(error as Error | undefined)?.message}`).toMatch(
        new RegExp(`other settings: (.*; )?${name}[.\\w]* was`),
      );
    });
  }

  // Options of things with a name, one by one.
  const parts = entries.flatMap(([name, option]) => [
    ...Object.entries(registryOf(option)).flatMap(([own, { options }]) =>
      Object.entries(options).map(([part, each]) => [name, own, part, each] as const),
    ),
    ...Object.entries(option.parts ?? {}).map(([part, each]) => [name, undefined, part, each] as const),
  ]);
  it.each(parts.filter(([name, , , { exempt }]) => exempt === undefined && name !== "augment"))(
    "refuses another %s of %s: %s",
    async (name, own, part, option) => {
      const other = otherValue(option, part);
      // What its neighbours need to mean anything.
      const needed =
        name === "patience"
          ? { epochs: 3 }
          : part === "nesterov"
            ? { momentum: 0.5 }
            : /^outer/.test(part)
              ? { localSteps: 2 }
              : {};
      const own_ = own === undefined ? needed : { name: own, ...needed };
      const around =
        name === "sampler" && (own === "low-rank" || own === "standard-basis") ? { perturb: "weights" } : {};
      const around2 =
        own === "mean-squared-error" ? { examples: { inputs, labels: Float32Array.from(inputs) } } : {};
      const settings = { ...around, ...around2 };
      const store = memory();
      await trained({ store, ...settings, [name]: own_ });
      const error = await errorOf(() =>
        trained({ store, resume: true, ...settings, [name]: { ...own_, [part]: other } }),
      );
      expect(`${(error as Error | undefined)?.message}`).toContain(`${name}.${part} was`);
    },
  );

  it("goes on with a run of version 0.1, which described it otherwise, and refuses it changed", async () => {
    const folder = resolve(import.meta.dirname, "cases/old-run");
    const kept = JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as Record<string, unknown>;
    const settings = { optimizer: { name: "sgd", momentum: 0.9 }, learningRate: 0.1 };
    const store = memory();
    await trained({ store, ...settings, perturb: { name: "activations", guess: "none" } });
    const config = () => JSON.parse(new TextDecoder().decode(store.files.get("config.json"))) as typeof kept;
    const { model: hash, data, threads, runtime: engine } = config();
    const old = { ...kept, model: hash, data, threads, runtime: engine, steps: 3 };
    store.files.set("config.json", new TextEncoder().encode(JSON.stringify(old)));
    const changed = { ...settings, optimizer: { name: "sgd", momentum: 0.5 } };
    await expect(trained({ store, resume: true, ...changed })).rejects.toThrow("momentum was 0.9, now 0.5");
    await trained({ store, resume: true, ...settings });
    expect(config()).toMatchObject({ format: 2, optimizer: { name: "sgd", momentum: 0.9 } });
  });

  it("says one tangent at a time with low memory, and goes on with a run that said all of them", async () => {
    const settings = { perturb: "weights", lowMemory: true, tangents: 4 };
    const store = memory();
    await trained({ store, ...settings });
    const config = () =>
      JSON.parse(new TextDecoder().decode(store.files.get("config.json"))) as Record<string, unknown>;
    expect(config().tangentChunk).toBe(1);
    const asBefore = new TextEncoder().encode(JSON.stringify({ ...config(), tangentChunk: 4 }));
    store.files.set("config.json", asBefore);
    await expect(trained({ store, resume: true, ...settings, tangentChunk: 2 })).rejects.toThrow(
      "tangentChunk was 4, now 2",
    );
    await trained({ store, resume: true, ...settings });
    await trained({ store, resume: true, ...settings, tangentChunk: 4 });
  });

  it("refuses to go on with another search", async () => {
    const search = { ...base, steps: 4, evaluations: 4, rungs: 1, lowest: 0.01, highest: 1 };
    const store = memory();
    for await (const _ of searchLearningRate({ ...search, store }));
    const changes = {
      evaluations: 3,
      rungs: 2,
      reduction: 2,
      lowest: 0.02,
      highest: 2,
      judge: "accuracy",
      seeds: 2,
    };
    expect(Object.keys(changes).sort()).toEqual(Object.keys(ownSearchOptions).sort());
    for (const [name, value] of Object.entries({
      ...changes,
      optimizer: "adam",
      loss: crossEntropy({ smoothing: 0.1 }),
    })) {
      const again = { ...search, store, resume: true, [name]: value } as Parameters<
        typeof searchLearningRate
      >[0];
      const error = await errorOf(async () => {
        for await (const _ of searchLearningRate(again));
      });
      expect(`${(error as Error | undefined)?.message}`).toMatch(new RegExp(`${name}[.\\w]* was`));
    }
  });
});

/** Another value than an option's default. */
function otherValue(option: Option, part: string): unknown {
  if (part === "pattern") return /^(layer)/;
  if (option.kind === "choice") return option.names?.find((name) => name !== option.default);
  if (option.kind === "toggle") return option.default !== true;
  if (part === "classAxis") return 1;
  if (part === "classWeights") return [1, 2];
  if (part === "sampling") return "balanced";
  if (option.kind === "whole") return Number(option.default ?? 1) + 1;
  if (option.accepts(0.5) && option.default !== 0.5) return 0.5;
  return option.accepts(0.25) ? 0.25 : 30;
}

describe("misuse is answered", () => {
  const wrong: [string, object, RegExp][] = [
    [
      "an unknown name",
      { perturb: "weight" },
      /perturb must be activations, weights or blocks.*Did you mean "weights"\?/,
    ],
    ["an unknown aggregator", { aggregate: "project" }, /Did you mean "projection"\?/],
    ["the command line's name", { lr: 0.1 }, /no option 'lr'\. Did you mean learningRate\?/],
    ["a slip", { tangets: 3 }, /Did you mean tangents\?/],
    [
      "an option of before",
      { beta1: 0.8 },
      /beta1.*It belongs to adam, adamw: optimizer: adam\(\{ beta1: 0\.8 \}\)/,
    ],
    ["another of before", { plateauPatience: 3 }, /schedules\.plateau\(\{ patience: 3 \}\)/],
    ["a renamed one", { trackQuality: 7 }, /quality: \{ every: 7 \}/],
    ["inputs beside examples", { inputs }, /It is now examples/],
    ["a path", { model: "my.onnx" }, /model must be an ONNX file's bytes.*received "my\.onnx"/],
    ["a promise", { model: Promise.resolve(model) }, /received a Promise \(await it\)/],
    ["no runtime", { runtime: undefined }, /train needs runtime: .*nodeRuntime\(\)/],
    ["no examples", { examples: undefined }, /train needs examples/],
    ["a sampler without fill", { sampler: { name: "mine" } }, /sampler must be .*without 'fill'/],
    ["an optimizer that is none", { optimizer: {} }, /optimizer must be sgd, adam or adamw/],
    [
      "a maker that was not called",
      { optimizer: searchOptions.optimizer.registry.adam },
      /received the function.*call it/,
    ],
    [
      "tangents of an exact gradient",
      { gradient: "exact", tangents: 4 },
      /tangents: 4 has no effect with gradient: "exact"/,
    ],
    ["resume without a store", { resume: true }, /resume: true has no effect with no store/],
    [
      "examples of another name",
      { examples: { inputs, label: labels } },
      /examples has no 'label'. Did you mean labels\?/,
    ],
  ];
  it.each(wrong)("%s", async (_, options, message) => {
    const error = await errorOf(() => trained(options));
    expect(error).toBeInstanceOf(SettingError);
    expect((error as Error).message).toMatch(message);
  });

  it("with labels of any whole kind, which are no misuse", async () => {
    await trained({ examples: { inputs, labels: BigInt64Array.from([...labels], BigInt) } });
  });

  it("also in estimators", async () => {
    const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch: 4 });
    const create = (settings: object) => errorOf(() => createEstimator(objective, settings));
    expect(await create({ tangent: 3 })).toMatchObject({
      name: "SettingError",
      option: "tangent",
      neighbours: ["tangents"],
    });
    expect(await create({ shareTangents: true })).toMatchObject({ name: "SettingError" });
  });

  it("also in functions that compile, measure, build and read", async () => {
    const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch: 4 });
    const network = (options: object) => () => mlp({ input: [2], outputs: 2, ...options } as never);
    const compile = (options: object) => () =>
      compileObjective({ model, loss: crossEntropy(), runtime, batch: 4, ...options } as never);
    const derive = (options: object) => () => deriveFile(objective, options as never);
    const measured = { model: await modelFrom(model), parameters: {}, examples: drawn, loss: crossEntropy() };
    const measure = (options: object) => () => evaluateModel({ ...measured, runtime, ...options } as never);
    const misuses: [() => unknown, string, string?][] = [
      [compile({ batches: 4 }), "batches", "batch"],
      [compile({ targetshape: [] }), "targetshape", "targetShape"],
      [compile({ loss: "cross-entropy" }), "loss"],
      [compile({ runtime: undefined }), "runtime"],
      [compile({ limits: { node: 3 } }), "limits"],
      [derive({ tangent: 4 }), "tangent", "tangents"],
      [derive({}), "tangents"],
      [derive({ tangents: 4, parameters: "input" }), "parameters", '"inputs"'],
      [() => deriveFile({} as never, { tangents: 4 }), "deriveFile"],
      [measure({ example: drawn }), "example", "examples"],
      [measure({ model }), "model"],
      [measure({ indices: new Uint32Array(0) }), "indices"],
      [network({ hiden: [4] }), "mlp.hiden", "mlp.hidden"],
      [network({ activation: "rleu" }), "mlp.activation", '"relu"'],
      [network({ hidden: 4 }), "mlp.hidden"],
      [network({ outputs: undefined }), "mlp.outputs"],
      [() => lenet5({ input: [1, 28, 28], outputs: 2, channels: [3] as never }), "lenet5.channels"],
      [() => glyphs({ trian: 3 } as never), "trian", "train"],
      [() => glyphs(null as never), "glyphs"],
      [() => nodeRuntime({ thread: 2 } as never), "thread", "threads"],
      [() => nodeRuntime("cpu" as never), "nodeRuntime"],
      [() => nodeRuntime({ device: "cudda" as never }), "device", '"cuda"'],
      [() => runFolder("" as never), "runFolder"],
      [() => runFolder(undefined as never), "runFolder"],
      [() => loadModel(new Uint8Array(3) as never), "loadModel"],
      [() => graphObjective(undefined as never, runtime), "graphObjective"],
      [() => createEstimator(model as never), "createEstimator"],
      [() => encodeModelFile(new Uint8Array(3) as never), "encodeModelFile"],
    ];
    for (const [misuse, option, near] of misuses) {
      const error = await errorOf(async () => misuse());
      expect(error, `${misuse}`).toBeInstanceOf(SettingError);
      const { neighbours = [] } = error as SettingError;
      expect(error, (error as Error).message).toMatchObject({ option });
      if (near !== undefined) expect(neighbours[0], (error as Error).message).toBe(near);
    }
  });

  it("whatever is given for whatever option", async () => {
    const names = Object.keys(trainOptions).filter((name) => !["signal", "store"].includes(name));
    const anything = fc.oneof(
      fc.anything({
        withBigInt: true,
        withDate: true,
        withMap: true,
        withTypedArray: true,
        withNullPrototype: true,
      }),
      fc.constantFrom(-1, 0, 0.5, Number.NaN, "", "adam", {}, [], null, true, 1n, () => 0),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), anything, async (name, value) => {
        const run = train({ ...base, steps: 1, [name]: value } as TrainOptions);
        const error = await errorOf(() => run.next());
        await run.return();
        if (error === undefined) return;
        expect(error, `${name}: ${error}`).toBeInstanceOf(ForwardgradError);
        if (error instanceof SettingError) expect(`${error.option}: ${error.message}`).toContain(name);
      }),
      { numRuns: 200, seed: 5 },
    );
  });

  it("knows slips from other words", () => {
    expect(nearest("wieghts", ["weights", "blocks"])).toEqual(["weights"]);
    expect(nearest("colour", ["weights", "blocks"])).toEqual([]);
  });
});

describe("what is said once", () => {
  it("is few enough to read: at most 40 options of train", () => {
    expect(Object.keys(trainOptions).length).toBeLessThanOrEqual(40);
  });

  it("16 is the default of tangents in one place", () => {
    const source = resolve(import.meta.dirname, "../src");
    const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".ts"),
    );
    const said = files.filter((name) =>
      /tangents[^;\n]{0,60}(?:=|\?\?|default:) ?16\b/.test(readFileSync(join(source, name), "utf8")),
    );
    expect(said).toEqual(["train/settings/estimator.ts"]);
  });
});
