/** Directional derivatives out of the exact gradient, for studies of many tangents. */
import { gradientGraph } from "../ad/gradient.ts";
import { gradientName, reserved, statisticsName } from "../ad/names.ts";
import type { Differentiable } from "../objective/objective.ts";
import { getValue } from "../onnx/graph.ts";
import { zeros } from "../onnx/tensor.ts";
import { compileGraph } from "../runtime/evaluate.ts";
import type { Tensors } from "../runtime/runtime.ts";
import { derivativesAlong, exampleDerivativesAlong } from "../tangents/along.ts";
import type { SiteTangents } from "../tangents/site-tangents.ts";
import type { TangentSet } from "../tangents/tangent-set.ts";
import type { DualPasses } from "./dual-passes.ts";
import { exactGradient } from "./exact.ts";
import type { FoundSites } from "./sites/found-sites.ts";
import { type ActiveNumbers, activeNumbers, gatherExamples } from "./sites/rectified.ts";

/**
 * d_i = ⟨v_i, ∇f⟩ along tangents of the parameters, out of the exact gradient instead of dual passes: the same numbers up to
 * rounding, at the cost of one reverse pass whatever k is. For studies of many tangents; it is no training with forward
 * passes.
 */
export async function simulateWeights(objective: Differentiable, set: TangentSet): Promise<DualPasses> {
  const exact = await exactGradient(objective);
  const all = new Float64Array(set.count);
  return {
    async run(feeds, first, count, derivatives, once) {
      const { loss, gradients, statistics } = await exact.estimate(feeds, [0, 0]);
      for (const [name, values] of Object.entries(statistics))
        (once[statisticsName(name)]?.data as Float32Array | undefined)?.set(values);
      derivativesAlong(set, gradients, all);
      derivatives.set(all.subarray(first, first + count));
      return loss;
    },
    release: () => exact.release(),
  };
}

/** Exact gradients at the sites of each example's own loss. */
export interface SiteGradients {
  /** ∂ℓ_b/∂s_b by site, [batch, size], of the last run; 0 where a ReLU cut a number off. */
  readonly gradients: Readonly<Record<string, Float32Array>>;
  /** Which numbers the last run's ReLUs let through. */
  readonly active: ActiveNumbers;
  /**
   * One reverse pass as far as the sites.
   *
   * @param once tensors for the values that are kept
   * @returns the loss
   */
  run(feeds: Tensors, once: Tensors): Promise<number>;
  release(): Promise<void>;
}

/**
 * The gradient of Σ ℓ_b at a site holds each example's own, because examples do not influence each other.
 *
 * @param kept values of the forward pass that `once` may ask for; it must have those of rectified sites
 */
export async function siteGradients(
  { graph, runtime, batch }: Differentiable,
  found: FoundSites,
  kept: readonly string[],
): Promise<SiteGradients> {
  const sites = found.sites.map(({ value }) => value);
  const session = await compileGraph(
    runtime,
    gradientGraph(graph, sites, reserved.losses, [reserved.loss, ...kept]),
  );
  const loss = zeros("float32", []);
  const tensors = Object.fromEntries(
    sites.map((site) => [gradientName(site), zeros("float32", getValue(graph, site).shape)]),
  );
  const gradients = Object.fromEntries(
    found.sites.map(({ value, size }) => [value, new Float32Array(batch * size)]),
  );
  const active = activeNumbers(found.sites, batch);
  return {
    gradients,
    active,
    async run(feeds, once) {
      await session.run(feeds, { loss, ...tensors, ...once });
      active.read(once);
      for (const [site, { value, layout, size }] of found.sites.entries()) {
        const gradient = gradients[value] as Float32Array;
        gatherExamples(tensors[gradientName(value)]?.data as Float32Array, layout, gradient);
        for (let example = 0; example < batch; example++)
          active.mask(site, example, gradient.subarray(example * size, (example + 1) * size));
      }
      return Number(loss.data[0]);
    },
    release: () => session.release(),
  };
}

/**
 * d_i,b = ⟨v_i,b, ∂ℓ_b/∂s_b⟩ along tangents at the sites, [k, batch]; tangents are zero where a rectified value is. As
 * `simulateWeights`. What a guess learns from the first tangents besides, a gradient does not say: dual passes along these do.
 *
 * @param kept as of `siteGradients`
 * @param learned how many tangents are learned from, and what opens dual passes along so many
 */
export async function simulateSites(
  objective: Differentiable,
  found: FoundSites,
  tangents: SiteTangents,
  kept: readonly string[],
  learned: { readonly count: number; readonly open: (count: number) => Promise<DualPasses> },
): Promise<DualPasses> {
  const { batch } = objective;
  const exact = await siteGradients(objective, found, kept);
  const dual = learned.count > 0 ? await learned.open(learned.count) : undefined;
  const all = new Float64Array(tangents.count * batch);
  return {
    async run(feeds, first, count, derivatives, once, rowsFor) {
      const loss = await exact.run(feeds, once);
      exampleDerivativesAlong(tangents, exact.gradients, all);
      const wanted = Math.min(learned.count, first + count) - first;
      if (wanted > 0) await dual?.run(feeds, first, wanted, new Float64Array(wanted * batch), {}, rowsFor);
      derivatives.set(all.subarray(first * batch, (first + count) * batch));
      return loss;
    },
    async release() {
      await Promise.all([exact.release(), dual?.release()]);
    },
  };
}
