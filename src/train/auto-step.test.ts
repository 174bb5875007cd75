import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { graphObjective } from "../objective/objective.ts";
import { arraysOf } from "../objective/parameters.ts";
import { float32, tensorOf } from "../onnx/tensor.ts";
import { GraphBuilder } from "../ops/builder.ts";
import { adamw } from "../optim/adamw.ts";
import { sgd } from "../optim/sgd.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { afterMeasurement, freshAutoStep, isMeasured } from "./auto-step.ts";
import { stepProbe } from "./step-probe.ts";

const runtime = nodeRuntime({ threads: 1 });

/** f = Σ aᵢ(xᵢ − 1)²/2 with x = start. */
function quadratic(curvatures: readonly number[], start: readonly number[]) {
  const g = new GraphBuilder("quadratic");
  const x = g.sub(g.parameter("x", float32(start)), 1);
  const scaled = g.mul(
    g.mul(x, x),
    g.constant(
      tensorOf(
        "float32",
        curvatures.map((a) => a / 2),
        [start.length],
      ),
    ),
  );
  return graphObjective(g.build({ loss: g.reduceSum(scaled, { keepdims: 0 }) }), runtime);
}

const gradientOf = (curvatures: readonly number[], x: readonly number[]) =>
  Float32Array.from(x, (value, index) => (curvatures[index] as number) * (value - 1));

describe("a measurement along a step", () => {
  it("gives the exact step on a quadratic, which one step along an axis minimizes", async () => {
    const objective = quadratic([4, 9], [3, 1]);
    const probe = await stepProbe(objective, sgd());
    const parameters = arraysOf(objective.parameters);
    const gradients = { x: gradientOf([4, 9], [3, 1]) };
    const along = await probe.measure(objective.parameters, parameters, gradients, {});
    await probe.release();
    // u = (8, 0): slope 64, curvature 4·64.
    expect(along.slope).toBeCloseTo(64, 8);
    expect(along.curvature).toBeCloseTo(256, 8);
    const { rate } = afterMeasurement(freshAutoStep, along, { multiple: 1, start: 1 });
    expect(rate).toBeCloseTo(0.25, 12);
    sgd().update(parameters, gradients, {}, rate);
    expect([...(parameters.x as Float32Array)]).toEqual([1, 1]);
  });

  it("goes along the optimizer's own step, momentum and Adam's scaling included, and leaves its state alone", async () => {
    const start = [2, -1];
    const curvatures = [1, 3];
    for (const optimizer of [sgd({ momentum: 0.9 }), adamw({ weightDecay: 0.1 })]) {
      const objective = quadratic(curvatures, start);
      const parameters = arraysOf(objective.parameters);
      const state = optimizer.init(parameters);
      optimizer.update({ x: Float32Array.from(start) }, { x: Float32Array.of(0.3, -0.7) }, state, 0.1);
      const before = structuredClone(state);
      const gradients = { x: gradientOf(curvatures, start) };
      const probe = await stepProbe(objective, optimizer);
      const along = await probe.measure(objective.parameters, parameters, gradients, state);
      await probe.release();
      expect(state).toEqual(before);
      const moved = { x: Float32Array.from(start) };
      optimizer.update(moved, gradients, structuredClone(state), 1);
      const u = start.map((value, index) => value - (moved.x[index] as number));
      const slope = u.reduce((sum, value, index) => sum + value * (gradients.x[index] as number), 0);
      const curvature = u.reduce((sum, value, index) => sum + value ** 2 * (curvatures[index] as number), 0);
      expect(along.slope / slope).toBeCloseTo(1, 5);
      expect(along.curvature / curvature).toBeCloseTo(1, 5);
    }
  });

  it("is nothing where the optimizer stands still", async () => {
    const objective = quadratic([1], [1]);
    const probe = await stepProbe(objective, sgd());
    const parameters = arraysOf(objective.parameters);
    expect(await probe.measure(objective.parameters, parameters, { x: new Float32Array(1) }, {})).toEqual({
      slope: 0,
      curvature: 0,
    });
    await probe.release();
  });
});

describe("the automatic rate", () => {
  it("is the quotient of the means, which a constant problem has at once", () => {
    let state = freshAutoStep;
    for (let step = 0; step < 20; step++)
      state = afterMeasurement(state, { slope: 2, curvature: 8 }, { multiple: 1, start: 1 });
    expect(state.rate).toBeCloseTo(0.25, 12);
    expect(state.count).toBe(20);
  });

  it("reaches E[slope]/E[curvature], not the mean of quotients", () => {
    let state = freshAutoStep;
    for (let step = 0; step < 400; step++) {
      const along = step % 2 === 0 ? { slope: 1, curvature: 1 } : { slope: 3, curvature: 7 };
      state = afterMeasurement(state, along, { multiple: 1, decay: 0.99 });
    }
    expect(state.rate).toBeCloseTo(4 / 8, 2);
  });

  it("stays positive and finite and within its limits for any measurements", () => {
    const number = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    const measurements = fc.array(fc.record({ slope: number, curvature: number }), { minLength: 1 });
    fc.assert(
      fc.property(measurements, (list) => {
        let state = freshAutoStep;
        for (const along of list) {
          const after = afterMeasurement(state, along, { most: 5 });
          expect(after.rate).toBeGreaterThan(0);
          expect(after.rate).toBeLessThanOrEqual(5);
          if (state.count > 0) {
            expect(after.rate).toBeGreaterThanOrEqual(0.25 * state.rate);
            expect(after.rate).toBeLessThanOrEqual(1.25 * state.rate);
          }
          state = after;
        }
      }),
      // Rates near the smallest number, of which a quarter is 0.
      {
        examples: [
          [
            [
              { slope: 1.5e-323, curvature: 1.5e-8 },
              { slope: 0, curvature: 0 },
            ],
          ],
          [
            [
              { slope: 5e-324, curvature: 1 },
              { slope: 5e-324, curvature: 1e6 },
            ],
          ],
          [
            [
              { slope: 2e-323, curvature: 1 },
              { slope: 0, curvature: 1e6 },
            ],
          ],
        ],
      },
    );
  });

  it("grows where the curvature is negative, stays where the slope is, and begins at the limit without either", () => {
    const begun = afterMeasurement(freshAutoStep, { slope: 1, curvature: 1 }, { multiple: 1, start: 1 });
    expect(afterMeasurement(begun, { slope: 1, curvature: -100 }).rate).toBe(1.25);
    expect(afterMeasurement(begun, { slope: -100, curvature: 1 }).rate).toBe(1);
    expect(afterMeasurement(begun, { slope: 1, curvature: 100 }).rate).toBe(0.25);
    expect(afterMeasurement(freshAutoStep, { slope: 1, curvature: -1 }, { most: 0.2 }).rate).toBe(0.2);
    expect(afterMeasurement(freshAutoStep, { slope: 0, curvature: 0 }, { most: 0.2 }).rate).toBe(0.2);
  });

  it("is measured on the first ten steps and on every tenth, or 40th", () => {
    const steps = Array.from({ length: 81 }, (_, step) => step);
    const first = steps.slice(0, 10);
    const measured = (gradient: "forward" | "exact") => steps.filter((step) => isMeasured(step, gradient));
    expect(measured("forward")).toEqual([...first, 10, 20, 30, 40, 50, 60, 70, 80]);
    expect(measured("exact")).toEqual([...first, 40, 80]);
  });
});
