import { describe, expect, it } from "vitest";
import { clipGlobalNorm } from "../src/optim/clip.ts";
import { type OptimizerName, optimizers } from "../src/optim/optimizers.ts";
import { freshPlateau, observe } from "../src/optim/plateau.ts";
import type { ScheduleName } from "../src/optim/schedules.ts";
import { scheduleSetting } from "../src/train/settings/choices.ts";
import { type GoldenTensors, readGolden } from "./golden.ts";
import { relativeError } from "./relative-error.ts";

type Golden =
  | {
      kind: "optimizer";
      name: OptimizerName;
      options: Readonly<Record<string, number>>;
      rate: number;
      start: GoldenTensors;
      gradients: GoldenTensors[];
      values: GoldenTensors[];
    }
  | { kind: "clip"; limit: number; length: number; gradients: GoldenTensors; clipped: GoldenTensors }
  | {
      kind: "schedule";
      name: ScheduleName;
      options: { readonly decay?: number; readonly plateauPatience?: number };
      factors: number[];
      losses: number[];
    };

const golden = readGolden<Golden[]>("optimizers.golden.json");
const arrays = (tensors: GoldenTensors) =>
  Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, Float32Array.from(data)]));

for (const entry of golden.filter((one) => one.kind === "optimizer"))
  it(`${entry.name} ${JSON.stringify(entry.options)} follows PyTorch's trajectory to 1e-6`, () => {
    const optimizer = optimizers[entry.name](entry.options);
    const parameters = arrays(entry.start);
    let state = optimizer.init(parameters);
    entry.gradients.forEach((gradients, step) => {
      optimizer.update(parameters, arrays(gradients), state, entry.rate / (1 + step / 4));
      // The state is all there is: a copy of it goes on in the same way.
      state = Object.fromEntries(Object.entries(state).map(([key, values]) => [key, values.slice()]));
      for (const [name, { data }] of Object.entries(entry.values[step] ?? {}))
        expect(relativeError(parameters[name] ?? [], data), `${name} after step ${step + 1}`).toBeLessThan(
          1e-6,
        );
    });
  });

for (const entry of golden.filter((one) => one.kind === "clip"))
  it(`clipping to ${entry.limit} is PyTorch's`, () => {
    const gradients = arrays(entry.gradients);
    expect(clipGlobalNorm(gradients, entry.limit)).toBeCloseTo(entry.length, 6);
    for (const [name, { data }] of Object.entries(entry.clipped))
      expect(relativeError(gradients[name] ?? [], data)).toBeLessThan(1e-6);
  });

describe("schedules are PyTorch's", () => {
  for (const { name, options, factors, losses } of golden.filter((one) => one.kind === "schedule"))
    it(`${name} ${JSON.stringify(options)}`, () => {
      const { plateauPatience: patience, ...others } = options;
      const given = patience === undefined ? others : { ...others, patience };
      const schedule = scheduleSetting.choose({ name, ...given });
      let plateau = freshPlateau;
      factors.forEach((factor, step) => {
        expect(schedule.factor(step, factors.length) * plateau.factor).toBeCloseTo(factor, 12);
        // A checkpoint in between changes nothing.
        if (schedule.plateau)
          plateau = JSON.parse(JSON.stringify(observe(plateau, losses[step] ?? 0, schedule.plateau)));
      });
    });
});
