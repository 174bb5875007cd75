/** A granule: a fixed number of tangents that one dual pass takes, so that its derivatives do not depend on who computes it. */
import { derivativeGraph, type TangentForm } from "../../ad/derivatives.ts";
import { reserved } from "../../ad/names.ts";
import { dualPasses } from "../../estimate/dual-passes.ts";
import { withoutModelOutputs } from "../../estimate/weights/kept.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { createDrawer } from "../../random/drawer.ts";
import type { Key } from "../../random/threefry.ts";
import type { Tensors } from "../../runtime/runtime.ts";
import type { Sampler } from "../../tangents/sampler.ts";
import { createTangentSet, drawTangents, tangentInputName } from "../../tangents/tangent-set.ts";

/** A range of a step's tangents. */
export interface Granule {
  /** The first of its tangents. */
  readonly first: number;
  /** How many there are. */
  readonly count: number;
}

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

/** k tangents in granules of `size`, full ones first. */
export function granulesOf(tangents: number, size: number): readonly Granule[] {
  return Array.from({ length: Math.ceil(tangents / size) }, (_, index) => ({
    first: index * size,
    count: Math.min(size, tangents - index * size),
  }));
}

/** Compiles the dual pass of granules of `size`; a smaller one compiles its own when it comes. */
export async function openGranulePass(
  objective: Differentiable,
  sampler: Sampler,
  size: number,
): Promise<GranulePass> {
  const { runtime, graph } = objective;
  const shapes = Object.entries(objective.parameters).map(([name, { shape }]) => ({ name, shape }));
  const set = createTangentSet(shapes, size, sampler);
  const rank = sampler.rank ?? 1;
  const forms = new Map(
    set.parts.map((part): [string, TangentForm] => [
      part.parameter,
      part.role === "stacked" ? "stacked" : { rank },
    ]),
  );
  const graphOf = (count: number) =>
    withoutModelOutputs(derivativeGraph(graph, forms, count, reserved.loss), objective);
  const inputs = set.parts.map((part) => [tangentInputName(part), part.tensor] as const);
  const dual = await dualPasses(runtime, inputs, size, size, graphOf, []);
  const drawer = createDrawer(runtime);
  return {
    async measure(feeds, key, { first, count }) {
      drawTangents(set, key, drawer, 0, count, first);
      const derivatives = new Float64Array(count);
      const loss = await dual.run(feeds, 0, count, derivatives, {});
      return { derivatives, loss };
    },
    async release() {
      await Promise.all([dual.release(), drawer.release()]);
    },
  };
}
