/** A granule: a fixed number of tangents that one dual pass takes, so that its derivatives do not depend on who computes it. */
import { derivativeGraph } from "../../ad/derivatives.ts";
import { reserved } from "../../ad/names.ts";
import { type DualPasses, dualPasses } from "../../estimate/dual-passes.ts";
import { formsOf, withoutModelOutputs } from "../../estimate/weights/kept.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { parameterShapes } from "../../objective/parameters.ts";
import { createDrawer } from "../../random/drawer.ts";
import type { Key } from "../../random/threefry.ts";
import type { Tensors } from "../../runtime/runtime.ts";
import type { Sampler } from "../../tangents/sampler.ts";
import {
  createTangentSet,
  drawTangents,
  rowOf,
  type TangentSet,
  tangentInputName,
} from "../../tangents/tangent-set.ts";
import { type Granule, type Slice, sliceOf } from "./slices.ts";

/** What one dual pass along a granule's tangents says. */
export interface Measured {
  /** d, [count] */
  readonly derivatives: Float64Array;
  readonly loss: number;
}

/** Computes granules of any step, keeping the tangents of one. */
export interface GranulePass {
  /**
   * d of a granule's tangents.
   *
   * @param feeds the batch and the parameters, by input name, each in the shape [...] that the objective's graph declares
   * @param key the step's
   */
  measure(feeds: Tensors, key: Key, granule: Granule): Promise<Measured>;
  release(): Promise<void>;
}

/**
 * Compiles the dual pass of granules of `size`; a smaller one compiles its own when it comes.
 *
 * @param slices what granules perturb, by their number. Default: all parameters
 */
export async function openGranulePass(
  objective: Differentiable,
  sampler: Sampler,
  size: number,
  slices?: readonly Slice[],
): Promise<GranulePass> {
  const { runtime, graph } = objective;
  const shapes = parameterShapes(objective.parameters);
  const set = createTangentSet(shapes, size, sampler);
  const drawer = createDrawer(runtime);
  /** Of tangents of some parameters alone: all others have none. */
  const open = (isPerturbed: (parameter: string) => boolean) => {
    const parts = set.parts.filter(({ parameter }) => isPerturbed(parameter));
    const forms = formsOf({ parts, sampler });
    const graphOf = (count: number) =>
      withoutModelOutputs(derivativeGraph(graph, forms, count, reserved.loss), objective);
    const inputs = parts.map((part) => [tangentInputName(part), part.tensor] as const);
    return dualPasses(runtime, inputs, size, size, graphOf, []);
  };
  const whole = slices ? undefined : await open(() => true);
  const bySlice = new Map<Slice, { readonly dual: DualPasses; readonly own: TangentSet }>();
  for (const slice of slices ?? []) {
    const names = new Set(slice.parts.map(({ name }) => name));
    const dual = await open((parameter) => names.has(parameter));
    bySlice.set(slice, { dual, own: createTangentSet(slice.parts, size, sampler) });
  }
  /** Numbers of the last slice that was drawn, which are 0 in others. */
  let drawn: readonly Float32Array[] = [];
  return {
    async measure(feeds, key, { first, count }) {
      const derivatives = new Float64Array(count);
      const slice = slices && sliceOf(slices, key, Math.floor(first / size));
      const { dual = whole, own } = (slice && bySlice.get(slice)) ?? {};
      drawTangents(own ?? set, key, drawer, 0, count, first);
      if (slice && own) {
        for (const numbers of drawn) numbers.fill(0);
        drawn = scatter(own, slice, set);
      }
      const loss = (await dual?.run(feeds, 0, count, derivatives, {})) ?? Number.NaN;
      return { derivatives, loss };
    },
    async release() {
      const passes = [...bySlice.values()].map(({ dual }) => dual);
      await Promise.all([whole, ...passes, drawer].map((each) => each?.release()));
    },
  };
}

/** Copies tangents of a slice to where its numbers stand among all. @returns these places, by tangent and part */
function scatter(own: TangentSet, { parts }: Slice, all: TangentSet): readonly Float32Array[] {
  const rank = own.sampler.rank ?? 1;
  return own.parts.flatMap((part) => {
    const target = all.parts.find(
      ({ parameter, role }) => parameter === part.parameter && role === part.role,
    );
    const { from = 0, row = 1 } = parts.find(({ name }) => name === part.parameter) ?? {};
    // A row is one of the left factor's; the right one has all columns.
    const start = { stacked: from, left: rank * (from / row), right: 0 }[part.role];
    return Array.from({ length: target ? own.count : 0 }, (_, index) => {
      const numbers = rowOf(part.tensor, index);
      const among = rowOf((target ?? part).tensor, index).subarray(start, start + numbers.length);
      among.set(numbers);
      return among;
    });
  });
}
