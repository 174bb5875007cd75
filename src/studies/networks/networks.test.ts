import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { relativeError } from "../../../test/golden.ts";
import { memoryStore } from "../../../test/study-store.ts";
import { blockSites } from "../../ad/sites.ts";
import type { Dataset } from "../../data/dataset.ts";
import { glyphs } from "../../data/sets/glyphs.ts";
import { crossEntropy } from "../../losses/cross-entropy.ts";
import { mlp } from "../../models/mlp.ts";
import { vit } from "../../models/vit.ts";
import { compileObjective } from "../../objective/compile-objective.ts";
import { type Graph, getValue } from "../../onnx/graph.ts";
import { elementCount, int64 } from "../../onnx/tensor.ts";
import { keyFromSeed } from "../../random/threefry.ts";
import { fillUniform } from "../../random/uniform.ts";
import { nodeRuntime } from "../../runtime/node.ts";
import type { RunStore } from "../../storage/run-store.ts";
import { createEstimator, type EstimatorSettings } from "../../train/settings/estimator.ts";
import { train } from "../../train/train.ts";
import type { Environment, Row } from "../study.ts";
import { batchOf, buildNetwork, joinEnds, type NetworkName } from "./models.ts";
import { networks } from "./networks.ts";
import { networkLearningRate } from "./reference.ts";
import { measureRun, type NetworkRun, portionOf, settingsOf } from "./runs.ts";
import { networkTables, summarizeNetworks } from "./summary.ts";
import { networkVerdicts } from "./verdicts.ts";

const runtime = nodeRuntime({ threads: 1 });
const digits = glyphs({ train: 200, test: 100, seed: 0 });
const photos: Pick<Dataset, "train" | "classes" | "normalization"> = {
  classes: 10,
  normalization: { mean: [0.5, 0.5, 0.5], standardDeviation: [0.2, 0.2, 0.2] },
  train: { count: 1, shape: [3, 32, 32], inputs: new Uint8Array(3072), labels: new Int32Array(1) },
};

describe("the paper's settings", () => {
  it.each<[NetworkName, typeof photos, number[]]>([
    ["fc-256", digits, [256, 256, 10]],
    ["resnet18", photos, [64 * 8 * 8, 64 * 8 * 8, 128 * 4 * 4, 256 * 2 * 2, 512, 10]],
    ["vit", digits, [...Array<number>(5).fill(50 * 256), 10]],
    ["vit", photos, [...Array<number>(5).fill(65 * 256), 10]],
  ])("perturb the blocks of %s that the authors do", (network, data, sizes) => {
    const graph = buildNetwork(network, data, 0);
    const sites = blockSites(graph, graph.parameters, "logits");
    expect(sites.map(({ value }) => elementCount(getValue(graph, value).shape))).toEqual(sizes);
  });

  const small: Readonly<Record<string, Graph>> = {
    "fully connected": mlp({ input: [1, 8, 8], hidden: [12, 9], outputs: 4, seed: 3 }),
    transformer: joinEnds(
      vit({ input: [1, 8, 8], outputs: 4, layers: 3, width: 8, heads: 2, patch: 4, seed: 3 }),
      3,
    ),
  };

  describe.each(Object.entries(small))("in a %s network", (_, model) => {
    const method = { gradient: "projection", k: 4 } as const;
    // An estimator takes no settings of the loop.
    const { learningRate, schedule, patience, ...settings } = settingsOf({
      path: "paper",
      network: "fc-256",
      dataset: "mnist",
      method,
    });

    it.each<EstimatorSettings>([{ aggregate: "mean" }, { aggregate: "projection" }])(
      "give by forward mode, with $aggregate, what Vᵀ∇f gives",
      async (changes) => {
        const forward = await estimateOf(model, { ...settings, ...changes });
        const simulated = await estimateOf(model, { ...settings, ...changes, gradient: "simulated" });
        expect(relativeError(forward.derivatives, simulated.derivatives)).toBeLessThan(1e-4);
        expect(relativeError(forward.gradients, simulated.gradients)).toBeLessThan(1e-4);
        expect(forward.gradients.some((value) => value !== 0)).toBe(true);
      },
    );
  });

  it("know a learning rate for every run of the plan, and take each dataset's batch", () => {
    expect(networkLearningRate("fc-4096", "mnist", { gradient: "projection", k: 16 })).toBe(0.25172568);
    expect(networkLearningRate("vit", "cifar10", { gradient: "mean", k: 1 })).toBe(4.9930772e-5);
    expect(networkLearningRate("fc-256", "glyphs", { gradient: "exact", k: 0 })).toBe(0.026050732);
    expect(() => networkLearningRate("vit", "mnist", { gradient: "mean", k: 3 })).toThrow(
      "No learning rate is known for vit on mnist with mean, k = 3",
    );
    expect([batchOf("mnist"), batchOf("cifar10")]).toEqual([64, 128]);
    expect(
      settingsOf({ path: "ours", network: "vit", dataset: "mnist", method: { gradient: "mean", k: 2 } }),
    ).toEqual({ gradient: "forward", aggregate: "mean", tangents: 2, sampler: "gaussian" });
  });
});

async function estimateOf(model: Graph, settings: EstimatorSettings) {
  const batch = 5;
  const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch });
  const data = new Float32Array(batch * 64);
  fillUniform(keyFromSeed(1), 0, data);
  // The head and the class token of a transformer begin at zero, where most gradients vanish.
  for (const [index, { data: values }] of Object.values(objective.parameters).entries())
    for (let position = 0; position < values.length; position++)
      values[position] = (values[position] as number) + 0.1 * Math.sin(position + 3 * index);
  const estimator = await createEstimator(objective, settings);
  const { derivatives, gradients } = await estimator.estimate(
    {
      ...objective.parameters,
      input: { dtype: "float32", shape: [batch, 1, 8, 8], data },
      labels: int64([0, 2, 1, 3, 0]),
    },
    keyFromSeed(7),
  );
  const result = {
    derivatives: [...derivatives],
    gradients: Object.values(gradients).flatMap((g) => [...g]),
  };
  await estimator.release();
  return result;
}

describe("a run", () => {
  const limits = { epochs: 3, steps: 0, subset: 0 };
  const run: NetworkRun = {
    path: "paper",
    network: "fc-256",
    dataset: "glyphs",
    method: { gradient: "projection", k: 2 },
    seed: 1,
  };

  function environmentOf(data: Dataset, changes: Partial<Environment> = {}): Environment {
    return {
      runtime,
      signal: new AbortController().signal,
      dataset: async () => data,
      scratch: () => memoryStore(),
      advance: () => {},
      ...changes,
    };
  }
  const untimed = (rows: readonly Row[] | undefined) => rows?.map((row) => ({ ...row, seconds: 0 }));
  const whole = measureRun(environmentOf(digits), run, limits, memoryStore());

  it("has a row of its own and one for each epoch, the untrained network's included", async () => {
    const rows = (await whole) ?? [];
    expect(rows.map(({ kind, epoch }) => (kind === "curve" ? epoch : kind))).toEqual(["run", 0, 1, 2, 3]);
    expect(rows[0]).toMatchObject({ steps: 6, epochs: 3, ending: "epochs", learning_rate: 0.21136862 });
    const curves = rows.slice(1);
    const losses = curves.slice(1).map((row) => Number(row.validation_loss));
    const best = curves[1 + losses.indexOf(Math.min(...losses))];
    expect(rows[0]?.test_accuracy).toBe(best?.test_accuracy);
    expect(rows[0]?.last_test_accuracy).toBe(curves.at(-1)?.test_accuracy);
  });

  it.each(["paper", "ours"] as const)(
    "measures what training measures of itself, on the path %s",
    async (path) => {
      const own = { ...run, path };
      const rows = await measureRun(environmentOf(digits), own, limits, memoryStore());
      const model = buildNetwork("fc-256", digits, own.seed);
      const options = { model, examples: digits.train, test: digits.test, runtime, seed: own.seed };
      for await (const event of train({ ...options, epochs: 3, validation: 40, ...settingsOf(own) })) {
        if (event.kind !== "done") continue;
        const row = rows?.[0];
        const accuracy = path === "paper" ? row?.test_accuracy : row?.last_test_accuracy;
        expect(event.result.testAccuracy).toBe(accuracy);
        expect(event.result.learningRate).toBe(row?.learning_rate);
      }
      expect.assertions(2);
    },
  );

  it("goes on where it was stopped, and ends with the same rows", async () => {
    const store = memoryStore();
    const controller = new AbortController();
    const stopping = environmentOf(digits, {
      signal: controller.signal,
      advance: (fraction) => fraction > 0.4 && controller.abort(),
    });
    expect(await measureRun(stopping, run, limits, store)).toBeUndefined();
    let first = 1;
    const advance = (fraction: number) => {
      first = Math.min(first, fraction);
    };
    const resumed = await measureRun(environmentOf(digits, { advance }), run, limits, store);
    expect(first).toBeGreaterThan(0.4);
    expect(untimed(resumed)).toEqual(untimed(await whole));
  });

  it("ends with the same rows wherever it is killed", async () => {
    for (let writes = 1; ; writes++) {
      const store = memoryStore();
      try {
        await measureRun(environmentOf(digits), run, limits, dying(store, writes));
        expect(writes).toBeGreaterThan(8);
        break;
      } catch (error) {
        expect((error as Error).message).toBe("killed");
      }
      const resumed = await measureRun(environmentOf(digits), run, limits, store);
      expect(untimed(resumed), `killed at write ${writes}`).toEqual(untimed(await whole));
    }
  });

  it("measures nothing again once it has ended, and leaves no parameters behind", async () => {
    const store = memoryStore();
    const rows = await measureRun(environmentOf(digits), run, limits, store);
    expect(store.files.get("model.onnx")).toHaveLength(0);
    expect(store.files.get("checkpoint/state.safetensors")).toHaveLength(0);
    const missing = environmentOf(digits, { dataset: () => Promise.reject(new Error("not read")) });
    expect(await measureRun(missing, run, limits, store)).toEqual(JSON.parse(JSON.stringify(rows)));
  });

  it("that diverges is a result", async () => {
    const bright = { ...digits, normalization: { mean: 0, standardDeviation: 1e-5 } };
    const rows = await measureRun(environmentOf(bright), run, limits, memoryStore());
    expect(rows?.[0]).toMatchObject({ ending: "diverged", epochs: 0, epoch: 0 });
    expect(rows?.[0]?.test_accuracy).toBeLessThan(0.4);
  });

  it("stops ten epochs after its lowest validation loss", async () => {
    const labels = Int32Array.from(digits.train.labels, (_, index) => (7 * index ** 2) % 10);
    const noise = {
      ...digits,
      normalization: { mean: 0, standardDeviation: 0.02 },
      train: { ...digits.train, labels },
    };
    const exact = { ...run, method: { gradient: "exact", k: 0 } } as const;
    const rows = await measureRun(environmentOf(noise), exact, { ...limits, epochs: 60 }, memoryStore());
    const row = rows?.[0] as Row;
    expect(row.ending).toBe("patience");
    expect(Number(row.epochs)).toBe(Number(row.epoch) + 10);
  });

  it("takes the same part of a dataset whatever its seed", () => {
    const part = portionOf(digits, 50);
    expect([part.train.count, part.test.count]).toEqual([50, 50]);
    expect(portionOf(digits, 50)).toEqual(part);
    expect(portionOf(digits, 0)).toBe(digits);
    expect(portionOf(digits, 150).test).toBe(digits.test);
  });
});

/** A store whose process ends at a write. */
function dying(store: RunStore, writes: number): RunStore {
  let left = writes;
  const counted =
    <A extends unknown[]>(act: (...given: A) => Promise<void>) =>
    async (...given: A) => {
      left -= 1;
      if (left <= 0) throw new Error("killed");
      return act(...given);
    };
  return {
    describe: store.describe,
    read: store.read,
    write: counted(store.write),
    append: counted(store.append),
    truncate: counted(store.truncate),
  };
}

/** Made-up runs: accuracies by seed. */
function runsOf(
  network: string,
  gradient: string,
  k: number,
  accuracies: readonly number[],
  changes: Row = {},
): readonly Row[] {
  return accuracies.map((accuracy, seed) => ({
    ...{ kind: "run", path: "paper", network, dataset: "mnist", gradient, k, seed, learning_rate: 0.1 },
    ...{
      test_accuracy: accuracy,
      last_test_accuracy: accuracy - 0.01,
      epochs: 5,
      seconds: 2,
      ending: "epochs",
    },
    ...changes,
  }));
}

const paperSize = { epochs: 200, steps: 0, subset: 0, seeds: 3 };

describe("verdicts", () => {
  const holds = (rows: readonly Row[], start: string) =>
    networkVerdicts(rows, paperSize).find(({ statement }) => statement.startsWith(start))?.holds;

  it.each<[string, number[], number[], boolean | undefined]>([
    ["clearly better", [0.8, 0.81, 0.82], [0.9, 0.912, 0.923], true],
    ["clearly worse", [0.9, 0.91, 0.92], [0.8, 0.811, 0.822], false],
    ["better by less than the seeds differ", [0.8, 0.81, 0.82], [0.9, 0.8, 0.81], undefined],
    ["from one seed", [0.8], [0.9], undefined],
  ])("of more tangents that are %s", (_, few, many, expected) => {
    const rows = [...runsOf("vit", "mean", 1, few), ...runsOf("vit", "mean", 16, many)];
    expect(holds(rows, "More tangents")).toBe(expected);
  });

  it.each<[string, number[], boolean | undefined]>([
    ["as good", [0.8, 0.81, 0.82], true],
    ["a little worse", [0.797, 0.808, 0.817], true],
    ["clearly worse", [0.78, 0.79, 0.801], false],
    ["uncertain", [0.83, 0.78, 0.82], undefined],
    ["from one seed", [0.8], undefined],
  ])("of a projection that is %s", (_, projection, expected) => {
    const rows = [
      ...runsOf("vit", "mean", 4, [0.8, 0.81, 0.82]),
      ...runsOf("vit", "projection", 4, projection),
    ];
    expect(holds(rows, "Projection")).toBe(expected);
    expect(holds(rows, "More tangents")).toBe(undefined);
  });

  it.each<[string, number[], boolean | undefined]>([
    ["grows", [0.7, 0.71, 0.723], true],
    ["shrinks", [0.95, 0.961, 0.969], false],
    ["is the same", [0.9, 0.911, 0.919], undefined],
  ])("of a gap that %s", (_, wide, expected) => {
    const narrow = [
      ...runsOf("fc-256", "exact", 0, [0.97, 0.98, 0.975]),
      ...runsOf("fc-256", "mean", 4, [0.9, 0.91, 0.92]),
    ];
    const exact = runsOf("fc-4096", "exact", 0, [0.97, 0.98, 0.975]);
    const rows = [...narrow, ...exact, ...runsOf("fc-4096", "mean", 4, wide)];
    expect(holds(rows, "The gap")).toBe(expected);
    expect(holds(narrow, "The gap")).toBe(undefined);
  });

  it("do not change where all runs of a seed are better or worse by the same", () => {
    const share = fc.integer({ min: 0, max: 512 }).map((value) => value / 1024);
    const shares = fc.array(share, { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(fc.array(shares, { minLength: 6, maxLength: 6 }), shares, (accuracies, shifts) => {
        const cells = ["fc-256", "fc-1024"].flatMap((network) =>
          (["exact", "mean", "projection"] as const).map((gradient) => ({ network, gradient })),
        );
        const all = (shifted: boolean) =>
          cells.flatMap(({ network, gradient }, index) =>
            runsOf(
              network,
              gradient,
              gradient === "exact" ? 0 : 2,
              (accuracies[index] ?? []).map((value, seed) => value + (shifted ? (shifts[seed] ?? 0) : 0)),
            ),
          );
        expect(networkVerdicts(all(true), paperSize)).toEqual(networkVerdicts(all(false), paperSize));
      }),
    );
  });

  it.each([
    ["paper", paperSize, "paper", "at the authors' own size (200 epochs on all images with 3 seeds)"],
    [
      "paper",
      { ...paperSize, epochs: 10, subset: 8000 },
      "sample",
      "these are 10 epochs on 8,000 images with 3 seeds",
    ],
    ["ours", paperSize, "ours", "with our default learning rates"],
    [
      "ours",
      { ...paperSize, steps: 50, seeds: 1 },
      "sample",
      "all images and 50 steps at most with one seed",
    ],
  ] as const)("that do not hold with the path '%s' say whose doing it is", (path, size, fault, why) => {
    const rows = [
      ...runsOf("vit", "mean", 1, [0.9, 0.91, 0.92], { path }),
      ...runsOf("vit", "mean", 16, [0.8, 0.811, 0.822], { path }),
    ];
    const [verdict] = networkVerdicts(rows, size);
    expect(verdict).toMatchObject({ holds: false, reason: { fault, why: expect.stringContaining(why) } });
    expect(verdict?.evidence).toMatch(
      /the contrary in 1 \(a test of all of them at once gives chance 0\.\d+ %/,
    );
  });

  it("are open where one of many differences points the other way, as chance lets it", () => {
    const rows = [1, 2, 4, 16].flatMap((_, index) => [
      ...runsOf(`net-${index}`, "mean", 1, [0.8, 0.81, 0.82]),
      ...runsOf(`net-${index}`, "mean", 16, index === 0 ? [0.77, 0.79, 0.79] : [0.9, 0.912, 0.923]),
    ]);
    const verdict = networkVerdicts(rows, paperSize)[0];
    expect(verdict).toMatchObject({ holds: undefined, reason: { fault: "sample" } });
    expect(verdict?.evidence).toContain(
      "in 3 and the contrary in 1 (a test of all of them at once gives chance",
    );
  });

  it("name the runs that diverged", () => {
    const rows = [
      ...runsOf("vit", "mean", 4, [0.5, 0.6]),
      ...runsOf("vit", "projection", 4, [0.1], { ending: "diverged", path: "ours" }),
    ];
    const verdict = networkVerdicts(rows, paperSize).at(-1);
    expect(verdict).toMatchObject({ holds: false });
    expect(verdict?.evidence).toBe(
      "1 of 3 diverge, and count with what they reached before: vit on mnist, projection, k = 4 (ours).",
    );
  });
});

describe("summary", () => {
  it("has mean, deviation and 95 % half-width over the seeds", () => {
    const rows = [
      ...runsOf("vit", "mean", 4, [0.8, 0.82, 0.84]),
      ...runsOf("vit", "mean", 16, [0.9], { ending: "diverged" }),
    ];
    const [first, second] = summarizeNetworks([...rows, { ...rows[0], kind: "curve" }]);
    expect(first).toMatchObject({ k: 4, seeds: 3, seconds: 6, diverged: 0, epochs_mean: 5 });
    expect(first?.test_accuracy_mean).toBeCloseTo(0.82, 12);
    expect(first?.test_accuracy_sd).toBeCloseTo(0.02, 12);
    // Student's t of two degrees of freedom.
    expect(first?.test_accuracy_ci95).toBeCloseTo((4.302653 * 0.02) / Math.sqrt(3), 9);
    expect(first?.last_test_accuracy_mean).toBeCloseTo(0.81, 12);
    expect(second).toMatchObject({ k: 16, seeds: 1, diverged: 1, test_accuracy_ci95: undefined });
    const [table] = networkTables([first as Row, second as Row]);
    expect(table?.header).toEqual(["network", "data", "mean 4", "mean 16"]);
    expect(table?.rows).toEqual([["vit", "mnist", "82.0 ± 5.0", "90.0 (1 of 1 diverged)"]]);
  });
});

describe("the plan", () => {
  const units = (changes: Partial<typeof networks.full>) => networks.plan({ ...networks.full, ...changes });

  it("is the paper's: five networks, of which three only meet MNIST, eight methods, three seeds, two paths", () => {
    expect(units({})).toHaveLength((3 + 2 * 2) * 8 * 3 * 2);
  });

  it("says when a choice leaves nothing to train", () => {
    expect(() => units({ networks: ["fc-256"], datasets: ["cifar10"] })).toThrow(
      "Fully connected networks are not trained on cifar10; add mnist to datasets, or resnet18 or vit to networks.",
    );
  });
});
