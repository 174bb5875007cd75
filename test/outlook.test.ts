import { describe, expect, it } from "vitest";
import { outlookOf } from "../src/cli/outlook/outlook.ts";
import { glyphs } from "../src/data/sets/glyphs.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { mlp } from "../src/models/mlp.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { withHead } from "../src/objective/heads/with-head.ts";
import { modelOfGraph } from "../src/objective/importing/model-file.ts";
import { valueMemory } from "../src/objective/value-memory.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { memoryStore } from "../src/storage/memory-store.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";

const runtime = nodeRuntime({ threads: 1 });
const model = mlp({ input: [1, 28, 28], hidden: [20], outputs: 10 });

describe("the memory of a step", () => {
  it("is that of values which depend on data, for each tangent", async () => {
    const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch: 8 });
    const found = valueMemory(objective, { tangents: 3, lowMemory: false });
    expect(found.weights).toBeGreaterThanOrEqual(4 * (784 * 20 + 20 + 20 * 10 + 10));
    // Of each example 20 numbers before the ReLU and behind it, then the logits.
    expect(found.kept).toBeGreaterThanOrEqual(4 * 8 * (20 + 20 + 10));
    expect(found.derivatives).toBeGreaterThanOrEqual(3 * 4 * 8 * 40);
    expect(found.derivatives).toBeLessThan(3 * found.kept);
    const less = valueMemory(objective, { tangents: 1, lowMemory: true });
    expect([less.kept, 3 * less.derivatives]).toEqual([0, found.derivatives]);
    const double = await compileObjective({ model, loss: crossEntropy(), runtime, batch: 16 });
    expect(valueMemory(double, { tangents: 3, lowMemory: false }).derivatives).toBe(2 * found.derivatives);
  });
});

describe("the first lines of a run", () => {
  const dataset = glyphs({ train: 160, test: 10 });

  async function linesOf(options: Partial<TrainOptions> & Pick<TrainOptions, "model">) {
    const all = { ...{ examples: dataset.train, runtime, batch: 16, steps: 8 }, ...options };
    const outlook = outlookOf(all, dataset);
    for await (const event of train(all)) {
      if (event.kind === "start") await outlook.begin(event);
      if (event.kind === "step") outlook.step(event);
    }
    return outlook.lines;
  }

  it("say what is fed and trained, and what it takes", async () => {
    const lines = await linesOf({ model, store: memoryStore() });
    expect(lines[0]).toMatch(/^inputs: '\w+' float32 \[16, 1, 28, 28\]$/);
    expect(lines[1]).toBe("head: the model's own, 'logits' [batch, 10]");
    expect(lines[2]).toBe("trained: 15,910 numbers of 15,910 (100 %), in 4 tensors");
    expect(lines[3]).toMatch(
      /^memory: about \d+ MB: \d+ MB with all loaded and compiled, \d+ MB more in a step \(\d+ MB of values, \d+ MB of derivatives, \d+ MB of tangents and gradients\), \d+ MB to measure the result, 25 MB for the program itself$/,
    );
    expect(lines[4]).toMatch(/^time: about \d+ s for the other 2 steps, \d+ ms each \(measured on 5\)$/);
    expect(lines.length).toBe(5);
  });

  it("tell the time of steps of a head alone and of those behind them", async () => {
    const head = await withHead(modelOfGraph(model), { outputs: 10, alone: 0.5 });
    const lines = await linesOf({ model: head, adapter: { rank: 2 }, steps: 20 });
    expect(lines.filter((line) => line.startsWith("time"))).toEqual([
      expect.stringMatching(/for the other 4 steps of the head alone, \d+ ms each \(measured on 5\)$/),
      expect.stringMatching(/for the other 4 steps, \d+ ms each \(measured on 5\)$/),
    ]);
  });

  it("count what stays as it is, and name a new head", async () => {
    const body = modelOfGraph(model);
    const head = await withHead(body, { outputs: 10 });
    const adapted = await linesOf({ model: head, adapter: { rank: 2 } });
    expect(adapted[1]).toMatch(/^head: a new head of 10 outputs on 'layer1\//);
    // The matrix [20, 784] has an adapter, the head of 210 numbers is trained itself.
    expect(adapted[2]).toBe("trained: 1,818 numbers of 17,518 (10 %), in 4 tensors, adapters among them");
    // Nothing is kept of this run: its memory is not asked for.
    expect(adapted.some((line) => line.startsWith("memory"))).toBe(false);
  });
});
