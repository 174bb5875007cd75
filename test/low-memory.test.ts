import { describe, expect, it } from "vitest";
import { derivativeGraph } from "../src/ad/derivatives.ts";
import { keepUsedInputs } from "../src/ad/gradient.ts";
import { anonymize, interleave, segmentGraph } from "../src/ad/segments.ts";
import { type AggregatorName, aggregators } from "../src/aggregate/aggregators.ts";
import { activationsEstimator, weightsEstimator } from "../src/estimate/estimators.ts";
import { compileSegments } from "../src/estimate/segmented.ts";
import { findSites, localGraph } from "../src/estimate/sites/graphs.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { mlp } from "../src/models/mlp.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { encodeGraph } from "../src/onnx/encode.ts";
import { type Graph, totalBytes, type Value } from "../src/onnx/graph.ts";
import { float32, int64, type Tensor, zeros } from "../src/onnx/tensor.ts";
import { fillNormal } from "../src/random/normal.ts";
import { fold, keyFromSeed } from "../src/random/threefry.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import type { Runtime } from "../src/runtime/runtime.ts";
import { samplers } from "../src/tangents/samplers.ts";
import { relativeError } from "./relative-error.ts";

const runtime = nodeRuntime({ threads: 1 });
const batch = 4;
const pieceBytes = 300;
const key = keyFromSeed(3);

function normal(shape: readonly number[], seed: number): Tensor {
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  fillNormal(keyFromSeed(seed), 0, data);
  return float32(data, shape);
}

/** A deep network of equal layers. */
async function deep(depth: number) {
  const hidden = Array.from({ length: depth }, () => 8);
  const model = mlp({ input: [8], hidden, outputs: 8, activation: "tanh", batch });
  const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch });
  const feeds = { ...objective.parameters, input: normal([batch, 8], 1), labels: int64([0, 3, 1, 7]) };
  return { objective, feeds };
}

function derivedFrom(graph: Graph, tangents: number): Graph {
  return derivativeGraph(
    graph,
    new Map(graph.parameters.map((name) => [name, "stacked"] as const)),
    tangents,
    "loss",
  );
}

const lowMemoryWeightsEstimator: typeof weightsEstimator = (objective, options) =>
  weightsEstimator(objective, { ...options, lowMemory: true });
const lowMemoryActivationsEstimator: typeof activationsEstimator = (objective, options) =>
  activationsEstimator(objective, { ...options, lowMemory: true });

describe("a graph in pieces", () => {
  it("computes what the whole does", async () => {
    const { objective, feeds } = await deep(5);
    const derived = derivedFrom(objective.graph, 2);
    const tangents = Object.fromEntries(
      Object.entries(objective.parameters).map(([name, { shape }], index) => [
        `tangent/${name}`,
        normal([2, ...shape], index + 10),
      ]),
    );
    const whole = await evaluate(runtime, derived, { ...feeds, ...tangents });
    const results = Object.fromEntries(
      derived.outputs.map(({ name, dtype, shape }) => [name, zeros(dtype, shape)]),
    );
    const pieces = await compileSegments(runtime, derived, objective.graph, pieceBytes);
    for (let run = 0; run < 2; run++) {
      // Half of the inputs are fed, half are drawn when they are needed.
      const drawn: string[] = [];
      const given = Object.fromEntries(
        Object.entries({ ...feeds, ...tangents }).filter(([name]) => !name.includes(".weight")),
      );
      await pieces.run(given, results, (name, into) => {
        drawn.push(name);
        into.set(({ ...feeds, ...tangents }[name] as Tensor).data as Float32Array);
      });
      expect(drawn.length).toBeGreaterThanOrEqual(12);
      for (const [name, tensor] of Object.entries(whole))
        expect(relativeError(results[name]?.data as Float32Array, tensor.data as Float32Array)).toBeLessThan(
          1e-6,
        );
    }
    await pieces.release();
  });

  it("follows the primal order, stays below its size, and repeats itself layer by layer", async () => {
    const { objective } = await deep(20);
    const ordered = interleave(derivedFrom(objective.graph, 2), objective.graph);
    const segments = segmentGraph(ordered, pieceBytes);
    expect(segments.flatMap((segment) => segment.nodes)).toEqual(ordered.nodes);
    for (const { nodes, values, inputs, initializers } of segments) {
      const outside = new Set([...inputs.map(({ name }) => name), ...initializers.keys()]);
      const computed = [...values.values()].filter(({ name }) => !outside.has(name));
      if (nodes.length > 1) expect(totalBytes(computed)).toBeLessThanOrEqual(pieceBytes);
    }
    const distinct = new Set(
      segments.map((segment) => Buffer.from(encodeGraph(anonymize(segment).graph)).toString("latin1")),
    );
    expect(segments.length).toBeGreaterThan(40);
    // First layer, layers in between, last layer and loss.
    expect(distinct.size).toBeLessThan(segments.length / 3);
  });
});

describe("what is alive between pieces", () => {
  /** Bytes of the computed values that cross the widest cut. */
  function widestCut(segments: readonly Graph[], outputs: ReadonlySet<string>): number {
    const last = new Map<string, number>();
    for (const [index, { inputs }] of segments.entries())
      for (const { name } of inputs) last.set(name, index);
    const alive = new Map<string, Value>();
    let widest = 0;
    for (const [index, segment] of segments.entries()) {
      for (const value of segment.outputs) if (!outputs.has(value.name)) alive.set(value.name, value);
      for (const name of [...alive.keys()]) if ((last.get(name) ?? -1) <= index) alive.delete(name);
      widest = Math.max(widest, totalBytes(alive.values()));
    }
    return widest;
  }

  it("does not grow with depth where the local transposes follow each layer, biases included", async () => {
    const widest = await Promise.all(
      [6, 24].map(async (depth) => {
        const { objective } = await deep(depth);
        const placed = await findSites(objective, {});
        const local = localGraph(objective, placed, { count: 2, examples: batch }, 1, "computed");
        const ordered = interleave(keepUsedInputs(local, new Set()), objective.graph);
        const gradients = new Set(ordered.outputs.map(({ name }) => name));
        return widestCut(segmentGraph(ordered, 4 * pieceBytes), gradients);
      }),
    );
    expect(widest[0]).toBeGreaterThan(0);
    expect(widest[1]).toBe(widest[0]);
  });

  it("feeds frozen weights to sessions that equal layers share", async () => {
    const counted = async (depth: number) => {
      const hidden = Array.from({ length: depth }, () => 32);
      const model = mlp({ input: [32], hidden, outputs: 32, activation: "tanh", batch });
      const files: number[] = [];
      const counting: Runtime = {
        ...runtime,
        createSession: (bytes, options) => {
          files.push(bytes.length);
          return runtime.createSession(bytes, options);
        },
      };
      const trainable = (name: string) => name.includes("bias");
      const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch, trainable });
      const options = { tangents: 3, sampler: samplers.gaussian(), aggregator: aggregators.mean() };
      const usual = await weightsEstimator(objective, options);
      const low = await lowMemoryWeightsEstimator(
        { ...objective, runtime: counting },
        { ...options, pieceBytes: 4096 },
      );
      const feeds = { ...objective.parameters, input: normal([batch, 32], 1), labels: int64([0, 3, 1, 7]) };
      const [expected, actual] = [await usual.estimate(feeds, key), await low.estimate(feeds, key)];
      expect(relativeError(actual.derivatives, expected.derivatives)).toBeLessThan(1e-5);
      await low.release();
      return files;
    };
    const [shallow, deeper] = [await counted(8), await counted(24)];
    expect(deeper.length).toBeLessThanOrEqual(shallow.length + 4);
    expect(Math.max(...deeper)).toBeLessThan(4 * 32 * 32);
  });
});

describe("low memory gives the same estimates", () => {
  const names = ["gaussian", "rademacher", "sphere"] as const;
  for (const sampler of names) {
    for (const aggregate of ["projection", "mean"] satisfies AggregatorName[]) {
      for (const [tangents, tangentChunk] of [
        [5, undefined],
        [5, 2],
        [70, 16],
      ] as const) {
        const options = {
          tangents,
          tangentChunk,
          sampler: samplers[sampler](),
          aggregator: aggregators[aggregate](),
          pieceBytes,
        };
        it(`${sampler}, ${aggregate}, k = ${tangents}, chunk ${tangentChunk ?? 1}`, async () => {
          const { objective, feeds } = await deep(3);
          const compared = [
            [await weightsEstimator(objective, options), await lowMemoryWeightsEstimator(objective, options)],
            ...(await Promise.all(
              [false, true].map(async (shareTangents) => [
                await activationsEstimator(objective, { ...options, shareTangents }),
                await lowMemoryActivationsEstimator(objective, { ...options, shareTangents }),
              ]),
            )),
          ];
          for (const [usual, low] of compared) {
            if (!usual || !low) throw new Error("two estimators were expected");
            for (let step = 0; step < 2; step++) {
              const expected = await usual.estimate(feeds, fold(key, step));
              const actual = await low.estimate(feeds, fold(key, step));
              expect(actual.loss).toBeCloseTo(expected.loss, 5);
              expect(relativeError(actual.derivatives, expected.derivatives)).toBeLessThan(1e-5);
              for (const [name, gradient] of Object.entries(expected.gradients))
                expect(relativeError(actual.gradients[name] ?? [], gradient), name).toBeLessThan(1e-4);
            }
            await low.release();
          }
        });
      }
    }
  }

  it("and refuses tangents that have to be kept", async () => {
    const { objective } = await deep(1);
    const options = {
      tangents: 2,
      sampler: samplers["low-rank"](),
      aggregator: aggregators.mean(),
    };
    await expect(lowMemoryWeightsEstimator(objective, options)).rejects.toThrow(
      "use gaussian, rademacher or sphere",
    );
  });
});
