import { describe, expect, it } from "vitest";
import { relativeError } from "../../../test/relative-error.ts";
import { blockSites } from "../../ad/blocks.ts";
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
import { memoryStore } from "../../storage/memory-store.ts";
import type { RunStore } from "../../storage/run-store.ts";
import { createEstimator, type EstimatorSettings } from "../../train/settings/estimator.ts";
import { train } from "../../train/train.ts";
import type { Environment, Row } from "../study.ts";
import { batchOf, buildNetwork, joinEnds, type NetworkName } from "./models.ts";
import { networks } from "./networks.ts";
import { networkLearningRate } from "./reference.ts";
import { measureRun, type NetworkRun, portionOf, settingsOf } from "./runs.ts";

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
    ).toEqual({
      ...{ gradient: "forward", aggregate: "mean", tangents: 2, sampler: "gaussian" },
      perturb: { name: "activations", guess: "none" },
    });
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
