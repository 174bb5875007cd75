/** Rules of ops beyond the everyday ones: they are there wherever something may need them, and their lack has a remedy. */
import { expect, it } from "vitest";
import { derivativeGraph, upgradeGraph } from "../src/autodiff.ts";
import { activations, crossEntropy, GraphBuilder, glyphs, type Loss, mlp, train } from "../src/index.ts";
import { float32 } from "../src/onnx/tensor.ts";
import { rulesOf } from "../src/ops/find-op.ts";
import { nodeRuntime } from "../src/runtime/node.ts";

const runtime = nodeRuntime({ threads: 1 });
const data = glyphs({ train: 64, test: 16 });
const model = mlp({ input: [1, 28, 28], hidden: [8, 8], outputs: 10 });

async function finalLoss(settings: Partial<Parameters<typeof train>[0]>): Promise<number> {
  const run = { model, examples: data.train, test: data.test, runtime, steps: 2, ...settings };
  for await (const event of train(run)) if (event.kind === "done") return event.result.testLoss ?? Number.NaN;
  return Number.NaN;
}

it("a network of everyday ops brings none", () => {
  expect(Object.keys(rulesOf(mlp({ input: [4], outputs: 2 })))).toEqual([]);
  expect(Object.keys(rulesOf(new GraphBuilder("empty").snapshot()))).toContain("Conv");
});

it("a loss of one's own may emit any op, also where it is a copy of one with other parts", async () => {
  const standard = crossEntropy();
  const copied: Loss = {
    ...standard,
    name: "wavy",
    config: undefined,
    perExample: (g, prediction, target) => standard.perExample(g, g.sin(prediction), target),
  };
  expect(await finalLoss({ loss: copied })).toBeGreaterThan(1);
});

it("a guess of one's own may emit any op", async () => {
  const guess = {
    name: "wavy",
    gamma: 1,
    sites: {
      signal: "logits",
      memory: () => ({}),
      emitGuess: (g, delta, _, { size }) => {
        const sum = g.sin(g.reduceSum(delta, [1], { keepdims: 1 }));
        return g.expand(sum, [delta.shape[0] as number, size]);
      },
    },
  } satisfies NonNullable<Parameters<typeof activations>[0]>["guess"];
  expect(await finalLoss({ perturb: activations({ guess }), tangents: 2 })).toBeGreaterThan(0);
});

it("a graph that comes from elsewhere is told how to bring them", async () => {
  const g = new GraphBuilder("wave");
  const built = g.build({ loss: g.reduceSum(g.sin(g.parameter("x", float32([1, 2]))), { keepdims: 0 }) });
  const forms = new Map([["x", "stacked"]] as const);
  const derive = (graph: typeof built) => derivativeGraph(graph, forms, 1, "loss").outputs.length;
  expect(derive(built)).toBe(2);
  // A structured clone is plain data alone.
  const cloned = structuredClone(built);
  expect(() => derive(cloned)).toThrow(/Sin node .* does not bring the rules .* upgradeGraph/s);
  expect(derive(upgradeGraph(cloned))).toBe(2);
});
