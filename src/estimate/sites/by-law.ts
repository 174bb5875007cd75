/** Estimates of the gradient at sites that are drawn by their law, in the place of tangents. */
import { tangentName } from "../../ad/names.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { getValue } from "../../onnx/graph.ts";
import { float32, zeros } from "../../onnx/tensor.ts";
import { createDrawer } from "../../random/drawer.ts";
import { stepStreams } from "../../random/streams.ts";
import { fold, type Key } from "../../random/threefry.ts";
import { compileGraph } from "../../runtime/evaluate.ts";
import { gaussian } from "../../tangents/gaussian.ts";
import { innerProduct } from "../../tangents/pieces.ts";
import { createSiteTangents, drawSiteTangents } from "../../tangents/site-tangents.ts";
import { gradientBuffers } from "../estimator.ts";
import {
  combineFramed,
  drawFramed,
  type FramedTangents,
  framedGram,
  methodByLaw,
  type Space,
  writeEstimate,
} from "../law.ts";
import type { Passes } from "../passes.ts";
import { siteGradients } from "../simulated.ts";
import type { FoundSites } from "./found-sites.ts";
import { localGraph } from "./graphs.ts";
import type { ActivationsOptions } from "./kept.ts";

/**
 * The passes of estimates at sites that have the distribution of those of `keptSites`, each example's its own, for one reverse pass
 * as far as the sites and one normal number for each number at them, whatever k is (and k² numbers for each example, as its Gram
 * matrix has).
 *
 * @throws SettingError where that distribution is not known
 */
export async function sitesByLaw(
  objective: Differentiable,
  options: ActivationsOptions,
  found: FoundSites,
): Promise<Passes> {
  const { runtime, graph, batch } = objective;
  const { sites, dimension } = found;
  const method = methodByLaw(dimension, { ...options, shareTangents: options.shareTangents && batch > 1 });
  const rectified = sites.filter((site) => site.rectified).map(({ value }) => value);
  // What is combined is one tangent already, the estimate.
  const estimate = createSiteTangents(sites, 1, batch, gaussian());
  const direction = createSiteTangents(sites, 1, batch, gaussian());
  const local = localGraph(objective, found, estimate, method.gain);
  const read = local.inputs.map(({ name }) => name).filter((name) => graph.values.has(name));
  const own = new Set(graph.inputs.map(({ name }) => name));
  const kept = [...new Set([...read.filter((name) => !own.has(name)), ...rectified])];
  const exact = await siteGradients(objective, found, kept);
  const session = await compileGraph(runtime, local);
  const drawer = createDrawer(runtime);

  const residuals = Object.fromEntries(
    kept.map((name) => [name, zeros(getValue(graph, name).dtype, getValue(graph, name).shape)]),
  );
  const { tensors, gradients } = gradientBuffers(objective);
  const inputs = {
    ...residuals,
    ...Object.fromEntries(estimate.sites.map(({ value, tensor }) => [tangentName(value), tensor])),
    coefficients: float32(new Float32Array(batch).fill(1), [1, batch]),
  };
  /** One example's numbers at all sites. */
  const exampleOf = (arrays: readonly Float32Array[], example: number) =>
    arrays.map((array, site) => {
      const { size } = sites[site] as (typeof sites)[number];
      return array.subarray(example * size, (example + 1) * size);
    });
  const exactly = sites.map(({ value }) => exact.gradients[value] as Float32Array);
  const drawn = direction.sites.map(({ tensor }) => tensor.data);
  const estimates = estimate.sites.map(({ tensor }) => tensor.data);
  let stepKey: Key = [0, 0];
  let spaces: readonly Space[] = [];
  let framed: readonly FramedTangents[] = [];
  return {
    name: options.blocks ? "blocks" : "activations",
    method,
    examples: batch,
    draw(key) {
      stepKey = fold(key, stepStreams.frame);
      drawSiteTangents(direction, fold(key, stepStreams.direction), drawer);
    },
    async derivatives(feeds, first, count, derivatives) {
      const loss = await exact.run(feeds, residuals);
      spaces = Array.from({ length: batch }, (_, example) => {
        // Where no number of an example carries a gradient, every estimate is 0.
        const active = Math.max(1, exact.active.count(example));
        return { dimension: active, cut: dimension - active };
      });
      framed = drawFramed(method, stepKey, spaces);
      for (const [example, { rows, width }] of framed.entries()) {
        const gradient = exampleOf(exactly, example);
        const length = Math.sqrt(innerProduct(gradient, gradient));
        for (let index = 0; index < count; index++)
          derivatives[index * batch + example] = length * (rows[(first + index) * width] as number);
      }
      return { loss, statistics: {} };
    },
    async gram() {
      return (example) => ({
        gram: framedGram(framed[example] as FramedTangents),
        dimension: (spaces[example] as Space).dimension,
      });
    },
    async combine(feeds, { data, shape: [k = 0] }) {
      for (const [example, tangents] of framed.entries()) {
        const own = Array.from({ length: k }, (_, index) => Number(data[index * batch + example]));
        const turned = exampleOf(drawn, example);
        for (const [site, rows] of turned.entries()) exact.active.mask(site, example, rows);
        writeEstimate(
          exampleOf(exactly, example),
          turned,
          combineFramed(tangents, own),
          exampleOf(estimates, example),
        );
      }
      await session.run({ ...feeds, ...inputs }, tensors);
      return gradients;
    },
    async release() {
      await Promise.all([exact, session, drawer].map((one) => one.release()));
    },
  };
}
