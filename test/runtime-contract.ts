/** What every runtime must pass, wherever it runs. */
import { beforeAll, describe, expect, it } from "vitest";
import { derivativeGraph } from "../src/ad/derivatives.ts";
import { float32, float64, int64, type Tensor, toNumbers, zeros } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { compileGraph, evaluate } from "../src/runtime/evaluate.ts";
import type { Runtime } from "../src/runtime/runtime.ts";
import { type EstimateNumbers, estimateWith, estimators } from "./estimates.ts";
import { openGolden, type SmallModelGolden } from "./model-goldens.ts";
import { relativeError } from "./relative-error.ts";

const bound = 1e-4;
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
