/** Embeddings by contrast of pairs: the loss held to PyTorch's, what is refused, and a model that learns to find. */
import { describe, expect, it } from "vitest";
import { derivativeGraph } from "../src/ad/derivatives.ts";
import { gradientGraph } from "../src/ad/gradient.ts";
import type { TextTokenizer } from "../src/data/text/encode-texts.ts";
import { pairDataset } from "../src/data/text/pair-dataset.ts";
import { activations, blocks, weights } from "../src/estimate/estimators.ts";
import { contrast } from "../src/losses/contrast.ts";
import { attachLoss } from "../src/losses/loss.ts";
import { RetrievalTally } from "../src/metrics/retrieval.ts";
import { mlp } from "../src/models/mlp.ts";
import { encodeModelFile } from "../src/objective/importing/model-file.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { float64 } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/builder.ts";
import { upgradeGraph } from "../src/ops/full-upgrade.ts";
import { compileGraph } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { evaluateModel } from "../src/train/evaluation/evaluate-model.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";
import golden from "./goldens/contrast.golden.json" with { type: "json" };

const runtime = nodeRuntime({ threads: 1 });

/** A graph of embeddings alone, [rows, numbers], with the loss on top. */
function lossOf(values: readonly number[], shape: readonly number[], temperature: number) {
  const g = new GraphBuilder("embeddings");
  const z = g.parameter("z", float64(values, shape));
  return attachLoss(g.build({ embeddings: z }), contrast({ temperature }), "embeddings");
}

async function results(
  graph: ReturnType<typeof lossOf>,
  feeds: Parameters<Awaited<ReturnType<typeof compileGraph>>["run"]>[0],
) {
  const session = await compileGraph(runtime, upgradeGraph(graph));
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

/** The numbers of pairs: 0, 0, 1, 1, …. */
const numbersOf = (pairs: number) => Array.from({ length: 2 * pairs }, (_, row) => row >> 1);

describe("the loss of pairs", () => {
  it.each(golden)(
    "and its derivatives are PyTorch's: $pairs pairs, temperature $temperature",
    async (known) => {
      const { pairs, numbers, temperature, rows, gradient, loss } = known;
      const shape = [2 * pairs, numbers];
      const graph = lossOf(rows, shape, temperature);
      const feeds = { z: float64(rows, shape), target: float64(numbersOf(pairs), [2 * pairs]) };
      const exact = await results(gradientGraph(graph, ["z"], "loss"), feeds);
      expect(Number(exact.loss?.data[0])).toBeCloseTo(loss, 9);
      for (const [at, value] of gradient.entries())
        expect(Math.abs(Number(exact["gradient/z"]?.data[at]) - value)).toBeLessThan(1e-6);
      const direction = rows.map((_, at) => Math.sin(at * 1.7));
      const along = await results(derivativeGraph(graph, new Map([["z", "stacked"]]), 1, "loss"), {
        ...feeds,
        "tangent/z": float64(direction, [1, ...shape]),
      });
      const wanted = gradient.reduce((sum, value, at) => sum + value * (direction[at] as number), 0);
      expect(Math.abs(Number(along.derivatives?.data[0]) - wanted)).toBeLessThan(1e-6);
    },
  );

  it.each(golden)(
    "goes with the share that is found: $pairs pairs",
    ({ rows, numbers, pairs, accuracy, reciprocal }) => {
      const tally = new RetrievalTally();
      tally.add(rows.slice(0, 2 * numbers), numbers, 2);
      tally.add(rows.slice(2 * numbers), numbers, 2 * pairs - 2);
      expect(tally.metrics().accuracy).toBeCloseTo(accuracy, 12);
      expect(tally.metrics().meanReciprocalRank).toBeCloseTo(reciprocal, 12);
    },
  );

  it("finds none better than by chance where all embeddings are the same, or no numbers", () => {
    for (const value of [0.5, 0, Number.NaN]) {
      const tally = new RetrievalTally();
      tally.add(new Array(24).fill(value), 3, 8);
      expect(tally.metrics().accuracy).toBeCloseTo(1 / 4, 12);
      expect(tally.metrics().meanReciprocalRank).toBeCloseTo((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4, 12);
    }
    // Two of three second halves are the same, and the third is none's.
    const tally = new RetrievalTally();
    tally.add([1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 1], 2, 6);
    expect(tally.metrics().accuracy).toBeCloseTo((1 / 2 + 1 / 2 + 0) / 3, 12);
    expect(tally.metrics().meanReciprocalRank).toBeCloseTo((3 / 4 + 3 / 4 + 1 / 3) / 3, 12);
    expect(tally.misses(5)).toMatchObject([{ pair: 2, rank: 3 }]);
  });

  it("counts a pair that comes twice once among the others", async () => {
    const { pairs, numbers, temperature, rows, loss } = golden[0] as (typeof golden)[number];
    const twice = [...rows, ...rows.slice(0, 2 * numbers)];
    const labels = [...numbersOf(pairs), 0, 0];
    const shape = [labels.length, numbers];
    const graph = lossOf(twice, shape, temperature);
    const { losses } = await results(graph, {
      z: float64(twice, shape),
      target: float64(labels, [labels.length]),
    });
    const first = Array.from(losses?.data ?? [], Number).slice(0, 2 * pairs);
    expect(first.reduce((sum, value) => sum + value, 0) / first.length).toBeCloseTo(loss, 9);
  });

  it("takes no temperature at which cosines say nothing any more", () => {
    expect(() => contrast({ temperature: 1e-30 })).toThrow(
      /temperature must be .*from 0\.000001.*received 1e-30/,
    );
  });

  it("wants one embedding for each example, and at least two pairs", () => {
    expect(() => lossOf([1, 2, 3, 4, 5, 6], [3, 2], 1)).toThrow("an even batch of at least 4");
    expect(() => lossOf([1, 2, 3, 4], [2, 2], 1)).toThrow("at least two pairs");
  });
});

/** Pairs that share three numbers of six, which of them is to be learned. */
const count = 240;
const inputs = Float32Array.from({ length: count * 6 }, (_, at) => {
  const [row, column] = [Math.floor(at / 6), at % 6];
  const shared = column % 2 === 0;
  return 2 * Math.sin((shared ? (row >> 1) * 7.1 : row * 13.7) * (column + 1.3)) * (shared ? 0.6 : 1);
});
const part = (from: number, to: number) => ({
  count: to - from,
  shape: [6],
  inputs: inputs.slice(from * 6, to * 6),
  labels: Float32Array.from({ length: to - from }, (_, row) => row >> 1),
});
const examples = part(0, 160);
const test = part(160, 240);
const model = encodeModelFile(mlp({ input: [6], hidden: [16], outputs: 8 }));
const base: TrainOptions = {
  ...{ model, examples, test, runtime, batch: 32, validation: 0, loss: contrast({ temperature: 0.2 }) },
};
const run = async (options: Partial<TrainOptions> = {}) => {
  for await (const event of train({ ...base, ...options })) if (event.kind === "done") return event;
  throw new Error("The run did not end.");
};
const found = async (bytes: Uint8Array) =>
  (
    await evaluateModel({
      ...{
        model: decodeModel(bytes),
        parameters: {},
        examples: test,
        loss: contrast({ temperature: 0.2 }),
        runtime,
      },
    })
  ).retrieval?.accuracy ?? Number.NaN;

describe("a model of embeddings", () => {
  it.each([
    ["exact gradients", { gradient: "exact" }],
    ["tangents of weights", { perturb: weights(), tangents: 64 }],
  ] as const)("learns to find, by %s", async (_, by) => {
    const before = await found(model);
    const { model: bytes } = await run({ ...by, epochs: 40, optimizer: "adam", learningRate: 0.01 });
    expect(await found(bytes)).toBeGreaterThan(before + 0.5);
  });

  it("estimates without bias: as many tangents as weights have the exact gradient's step", async () => {
    const small = encodeModelFile(mlp({ input: [6], hidden: [3], outputs: 4 }));
    const options = { model: small, steps: 3, learningRate: 0.1 };
    const exact = await run({ ...options, gradient: "exact" });
    const forward = await run({ ...options, perturb: weights(), tangents: 37 });
    expect(forward.result.testLoss).toBeCloseTo(exact.result.testLoss as number, 4);
  });

  it("refuses what would take pairs apart, or has a derivative for each example", async () => {
    const perturbed = "compares the examples of a batch with each other";
    await expect(run({ perturb: activations() })).rejects.toThrow(perturbed);
    await expect(run({ perturb: blocks({ pattern: /[0-9]/ }) })).rejects.toThrow(perturbed);
    await expect(run({ perturb: weights({ exactLastLayer: true }) })).rejects.toThrow(
      "perturb.exactLastLayer",
    );
    const exact = { gradient: "exact" } as const;
    await expect(run({ ...exact, batch: { size: 32, accumulate: 2 } })).rejects.toThrow("parts of a batch");
    await expect(run({ ...exact, batch: 31 })).rejects.toThrow("would take one apart");
    await expect(run({ ...exact, batch: { size: 32, sampling: "balanced" } })).rejects.toThrow("one by one");
    await expect(run({ ...exact, examples: part(0, 159) })).rejects.toThrow(
      "159 examples, expected groups of 2",
    );
    await expect(
      run({ ...exact, examples: { ...examples, labels: examples.labels.map((_, row) => (row + 1) >> 1) } }),
    ).rejects.toThrow("example 1 has the number 1, and the one before it 0");
    await expect(run({ ...exact, examples: { ...examples, labels: new Int32Array(160) } })).rejects.toThrow(
      "Int32Array",
    );
  });

  it("keeps pairs whole where examples are set aside, and where few are left", async () => {
    for (const validation of [undefined, 5, 7]) {
      const { result } = await run({
        gradient: "exact",
        examples: part(0, 50),
        validation,
        batch: 64,
        epochs: 2,
      });
      expect(result.validationLoss).toBeGreaterThan(0);
    }
    // One pair alone has nothing that it is compared with.
    expect(
      (await run({ gradient: "exact", examples: part(0, 20), validation: undefined, steps: 1 })).result
        .validationLoss,
    ).toBeUndefined();
  });
});

describe("pairs of texts", () => {
  const tokenizer: TextTokenizer = {
    tokenizer: {
      encode: (text) => ({ tokens: text.split(" ") }),
      token_to_id: (token) => token.charCodeAt(0),
    },
    ...{ padding: 0, paddingSide: "right", truncationSide: "right", hasTypes: false, hasSpaces: false },
  };
  const encoding = { tokenizer, maxLength: 4 };
  const pairs = Array.from(
    { length: 10 },
    (_, at) => [`${String.fromCharCode(65 + at)} q`, String.fromCharCode(97 + at)] as const,
  );

  it("are examples one behind the other, and stay together", () => {
    const { train: taught, test: held, shownTexts } = pairDataset(pairs, encoding);
    expect([taught.count, held.count, shownTexts?.length]).toEqual([16, 4, 20]);
    for (const { inputs, labels, count } of [taught, held])
      for (let row = 0; row < count; row += 2) {
        expect(labels[row]).toBe(labels[row + 1]);
        // [first letter, q], [the same letter in lower case, nothing].
        expect([...inputs.subarray(2 * row, 2 * row + 4)]).toEqual([
          65 + Number(labels[row]),
          113,
          97 + Number(labels[row]),
          0,
        ]);
      }
    const own = pairDataset(pairs.slice(0, 4), {
      ...encoding,
      test: pairs.slice(4, 7),
      validation: pairs.slice(7),
    });
    expect([own.train.count, own.test.count, own.validation?.count]).toEqual([8, 6, 6]);
  });

  it("are at least two of each part", () => {
    expect(() => pairDataset(pairs.slice(0, 3), encoding)).toThrow("1 to test on, expected at least 2");
    expect(() => pairDataset([], encoding)).toThrow("No texts");
    expect(pairDataset(pairs.slice(0, 3), { ...encoding, testFraction: 1 }).test.count).toBe(6);
  });
});
