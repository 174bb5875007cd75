/** What every runtime must pass, wherever it runs. */
import { beforeAll, describe, expect, it } from "vitest";
import { derivativeGraph } from "../src/ad/derivatives.ts";
import { float32, float64, int64, type Tensor, toNumbers, zeros } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { drawSignsOn } from "../src/random/device-signs.ts";
import { fillRademacher } from "../src/random/rademacher.ts";
import { compileGraph, evaluate } from "../src/runtime/evaluate.ts";
import type { Runtime } from "../src/runtime/runtime.ts";
import { type EstimateNumbers, estimateWith, estimators } from "./estimates.ts";
import { openGolden, type SmallModelGolden } from "./model-goldens.ts";
import { relativeError } from "./relative-error.ts";

const bound = 1e-4;
/** y = −x: a session, for what needs one to be open. */
function emptyGraph() {
  const g = new GraphBuilder("open");
  return g.build({ y: g.neg(g.input("x", "float32", [1])) });
}
/** Compiling shaders in software takes most of the time, so not every variant of a model is estimated. */
export const estimated = ["mlp", "lenet5 max relu", "convnet", "vit", "resnet18 group"];

/**
 * The suite of one runtime.
 *
 * @param reference the estimates of Node's CPU with one thread, which count as right
 * @param reason why it cannot run here
 */
export function runtimeContract(
  name: string,
  open: () => Runtime | Promise<Runtime>,
  reference: (golden: SmallModelGolden, estimator: string) => Promise<EstimateNumbers>,
  goldens: readonly SmallModelGolden[],
  reason?: string,
): void {
  describe.skipIf(reason)(`the runtime ${name}`, () => {
    let runtime: Runtime | undefined;
    beforeAll(async () => {
      runtime = await open();
    });
    const opened = () => {
      if (!runtime) throw new Error("opened before all tests");
      return runtime;
    };
    it("writes into tensors that it is given, returns outputs by name, and keeps nothing of a run", async () => {
      const runtime = opened();
      const g = new GraphBuilder("both");
      const [a, b] = [g.input("a", "float32", [2, 3]), g.input("b", "float32", [3, 2])];
      const product = g.matMul(a, b);
      const session = await compileGraph(runtime, g.build({ product, sum: g.add(product, 1) }));
      const room = { product: zeros("float32", [2, 2]), sum: zeros("float32", [2, 2]) };
      const feeds = { a: float32([1, 2, 3, 4, 5, 6], [2, 3]), b: float32([1, 0, 0, 1, 1, 1], [3, 2]) };
      expect((await session.run(feeds, room)).sum).toBe(room.sum);
      expect([...room.product.data]).toEqual([4, 5, 10, 11]);
      expect([...room.sum.data]).toEqual([5, 6, 11, 12]);
      // The same tensors with other numbers in them.
      (feeds.a.data as Float32Array).fill(1);
      await session.run(feeds, room);
      expect([...room.sum.data]).toEqual([3, 3, 3, 3]);
      const named = await session.run(feeds, ["sum"]);
      expect(Object.keys(named)).toEqual(["sum"]);
      expect(toNumbers(named.sum as Tensor)).toEqual([3, 3, 3, 3]);
      await expect(session.run({ a: feeds.a })).rejects.toThrow("'b' was not fed");
      await session.release();
    });

    it("writes large outputs where they are given, of any name, and says why a run fails", async () => {
      const runtime = opened();
      const g = new GraphBuilder("large");
      const x = g.input("x", "float32", [256, 256]);
      const outputs = { negative: g.neg(x), constructor: g.mul(x, 2) };
      const session = await compileGraph(runtime, g.build(outputs));
      const room = { negative: zeros("float32", [256, 256]), constructor: zeros("float32", [256, 256]) };
      const numbers = zeros("float32", [256, 256]);
      for (const value of [3, 4]) {
        numbers.data.fill(value as never);
        expect((await session.run({ x: numbers }, room)).negative).toBe(room.negative);
        for (const [name, factor] of [
          ["negative", -1],
          ["constructor", 2],
        ] as const)
          expect(room[name].data.every((each) => Number(each) === factor * value)).toBe(true);
      }
      const all = await session.run({ x: numbers });
      expect(Object.keys(all).sort()).toEqual(["constructor", "negative"]);
      expect(all.negative?.data).not.toBe(room.negative.data);
      await expect(session.run({ x: zeros("float32", [2, 256]) }, room)).rejects.toThrow(/dimensions|shape/i);
      await expect(session.run({ x: numbers }, { negative: zeros("float32", [256, 255]) })).rejects.toThrow();
      await session.release();
    });

    it("holds tensors between runs: what one run writes, the next one reads, and only what is read or written crosses", async () => {
      const runtime = opened();
      const { residence } = runtime;
      if (!residence) throw new Error("a runtime of ours has a residence");
      const g = new GraphBuilder("held");
      const [x, step] = [g.input("x", "float32", [3, 5]), g.input("step", "float32", [])];
      const next = g.add(g.mul(x, 2), step);
      const total = g.reduceSum(next, [0, 1], { keepdims: 0 });
      const session = await compileGraph(runtime, g.build({ next, total }), { stays: ["next"] });
      const held = residence.hold("float32", [3, 5]);
      const before = { ...residence.crossed };
      const crossed = () => [residence.crossed.up - before.up, residence.crossed.down - before.down];
      // Zeros, before anything is written.
      const sum = zeros("float32", []);
      const feeds = { x: held, step: float32([1], []) };
      const results = await session.run(feeds, { next: held, total: sum });
      expect(results.next).toBe(held);
      expect(sum.data[0]).toBe(15);
      for (let run = 0; run < 3; run++) await session.run(feeds, { next: held });
      expect(crossed()).toEqual([16, 4]);
      expect(() => held.data).toThrow("held float32 tensor [3, 5]");
      expect([...(await residence.read(held))]).toEqual(Array.from({ length: 15 }, () => 15));
      expect(crossed()).toEqual([16, 64]);
      residence.write(
        held,
        Float32Array.from({ length: 15 }, (_, index) => index),
      );
      expect(crossed()).toEqual([76, 64]);
      // To another one, by name and into an array of the program: the first stays as it was.
      const other = residence.hold("float32", [3, 5]);
      await session.run(feeds, { next: other });
      const room = zeros("float32", [3, 5]);
      await session.run({ ...feeds, x: other }, { next: room });
      expect([...room.data]).toEqual(Array.from({ length: 15 }, (_, index) => 2 * (2 * index + 1) + 1));
      expect([...((await session.run({ ...feeds, x: held }, ["next"])).next?.data ?? [])]).toEqual(
        Array.from({ length: 15 }, (_, index) => 2 * index + 1),
      );
      expect(() => residence.write(held, new Float32Array(14))).toThrow("takes 15 numbers, received 14");
      await expect(session.run(feeds, { next: residence.hold("float32", [5, 3]) })).rejects.toThrow("'next'");
      residence.release([held]);
      await expect(residence.read(held)).rejects.toThrow("not held");
      await expect(session.run(feeds)).rejects.toThrow();
      residence.release([other]);
      await session.release();
    });

    it("draws signs on a device that takes shaders: the bytes of the kernel", async () => {
      const { residence } = opened();
      const { compute } = residence ?? {};
      if (!residence || !compute) return;
      const session = await compileGraph(opened(), emptyGraph());
      const starts = [0, 7, 64, 2 ** 38 - 64, 2 ** 53 - 1000];
      for (const length of [1, 63, 64, 200]) {
        const rows = starts.map((start, index) => ({ key: [index, 0xdeadbeef] as const, start }));
        const held = residence.hold("float32", [rows.length, length]);
        drawSignsOn({ compute }, rows, length, held);
        const expected = new Float32Array(rows.length * length);
        for (const [row, { key, start }] of rows.entries())
          fillRademacher(key, start, expected.subarray(row * length, (row + 1) * length));
        expect(await residence.read(held)).toEqual(expected);
        residence.release([held]);
      }
      await session.release();
    });

    it("computes in float64 and int64, by itself or on the CPU", async () => {
      const runtime = opened();
      const g = new GraphBuilder("types");
      const [x, i] = [g.input("x", "float64", [2]), g.input("i", "int64", [2])];
      const [sum] = g.node("Add", [i, i]);
      const { y, j } = await evaluate(runtime, g.build({ y: g.exp(x), j: sum ?? i }), {
        x: float64([0, 1e-9]),
        i: int64([2 ** 40, -3]),
      });
      expect(toNumbers(y as Tensor)).toEqual([1, Math.exp(1e-9)]);
      expect(toNumbers(j as Tensor)).toEqual([2 ** 41, -6]);
    });

    for (const golden of goldens) {
      it(`${golden.name}: losses and derivatives along the weights are PyTorch's`, async () => {
        const runtime = opened();
        const { objective, feeds, weightTangents } = await openGolden(golden, runtime);
        const { graph } = objective;
        const forms = new Map(graph.parameters.map((parameter) => [parameter, "stacked"] as const));
        const derived = derivativeGraph(graph, forms, golden.k, "losses");
        const { losses, derivatives } = await evaluate(runtime, derived, { ...feeds, ...weightTangents });
        expect(relativeError(losses?.data as Float32Array, golden.losses)).toBeLessThan(bound);
        expect(relativeError(derivatives?.data as Float32Array, golden.weightDerivatives)).toBeLessThan(
          bound,
        );
      });

      it.runIf(estimated.includes(golden.name))(
        `${golden.name}: estimates are those of the CPU with one thread`,
        async () => {
          for (const estimator of Object.keys(estimators)) {
            const expected = await reference(golden, estimator);
            const received = await estimateWith(opened(), golden, estimator);
            expect(Math.abs(received.loss / expected.loss - 1), estimator).toBeLessThan(bound);
            expect(relativeError(received.derivatives, expected.derivatives), estimator).toBeLessThan(bound);
            expect(relativeError(received.gradient, expected.gradient), estimator).toBeLessThan(bound);
          }
        },
      );
    }
  });
}
