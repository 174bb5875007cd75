/** Estimates of the weights' gradient that are drawn by their law, in the place of tangents. */
import type { Differentiable } from "../../objective/objective.ts";
import { countParameters, parameterShapes } from "../../objective/parameters.ts";
import { createDrawer } from "../../random/drawer.ts";
import { stepStreams } from "../../random/streams.ts";
import { fold } from "../../random/threefry.ts";
import { gaussian } from "../../tangents/gaussian.ts";
import { innerProduct } from "../../tangents/pieces.ts";
import { createTangentSet, drawTangents } from "../../tangents/tangent-set.ts";
import { gradientBuffers } from "../estimator.ts";
import { exactGradient } from "../exact.ts";
import {
  combineFramed,
  drawFramed,
  type FramedTangents,
  framedGram,
  methodByLaw,
  writeEstimate,
} from "../law.ts";
import type { Passes } from "../passes.ts";
import type { WeightsOptions } from "./guess.ts";

/**
 * The passes of an estimate that has the distribution of `keptWeights`, for one exact gradient and n normal numbers a step, whatever
 * k is (and k² numbers, as the Gram matrix has).
 *
 * @throws SettingError where that distribution is not known
 */
export async function weightsByLaw(objective: Differentiable, options: WeightsOptions): Promise<Passes> {
  const { parameters, runtime } = objective;
  const method = methodByLaw(countParameters(parameters), options);
  const exact = await exactGradient(objective);
  const shapes = parameterShapes(parameters);
  const direction = createTangentSet(shapes, 1, gaussian());
  const drawer = createDrawer(runtime);
  const { gradients: estimate } = gradientBuffers(objective);
  const pieces = (arrays: Readonly<Record<string, Float32Array>>) =>
    shapes.map(({ name }) => arrays[name] as Float32Array);
  let framed: FramedTangents = { count: 0, width: 0, rows: new Float64Array() };
  let gradient: readonly Float32Array[] = [];
  return {
    name: "weights",
    method,
    examples: 1,
    draw(key) {
      const [drawn] = drawFramed(method, fold(key, stepStreams.frame), [method]);
      framed = drawn ?? framed;
      drawTangents(direction, fold(key, stepStreams.direction), drawer);
    },
    async derivatives(feeds, first, count, derivatives) {
      const { loss, gradients, statistics } = await exact.estimate(feeds, [0, 0]);
      gradient = pieces(gradients);
      const length = Math.sqrt(innerProduct(gradient, gradient));
      for (let index = 0; index < count; index++)
        derivatives[index] = length * (framed.rows[(first + index) * framed.width] as number);
      return { loss, statistics };
    },
    async gram() {
      const gram = framedGram(framed);
      return () => ({ gram, dimension: method.dimension });
    },
    async combine(_feeds, { data }) {
      const drawn = direction.parts.map(({ tensor }) => tensor.data);
      writeEstimate(gradient, drawn, combineFramed(framed, data as Float32Array), pieces(estimate));
      return estimate;
    },
    async release() {
      await Promise.all([exact.release(), drawer.release()]);
    },
  };
}
