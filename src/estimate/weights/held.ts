/** Tangents of all parameters that stay where the runtime computes, with all that follows from them. */
import { derivativeGraph } from "../../ad/derivatives.ts";
import { gramName, reserved } from "../../ad/names.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { countParameters, parameterShapes } from "../../objective/parameters.ts";
import type { Graph } from "../../onnx/graph.ts";
import { elementCount, type Tensor, zeros } from "../../onnx/tensor.ts";
import { fasterGraph } from "../../ops/upgrade.ts";
import { drawSignsOn } from "../../random/device-signs.ts";
import { createDrawer } from "../../random/drawer.ts";
import { fold, type Key } from "../../random/threefry.ts";
import { compileGraph } from "../../runtime/evaluate.ts";
import type { Tensors } from "../../runtime/runtime.ts";
import { gram } from "../../tangents/gram.ts";
import { areCounted } from "../../tangents/sampler.ts";
import {
  createTangentSet,
  drawTangents,
  type TangentRange,
  tangentInputName,
  tangentParts,
} from "../../tangents/tangent-set.ts";
import { statisticsBuffers } from "../estimator.ts";
import { HeldSet } from "../held-set.ts";
import { type Method, methodIn, type Passes, requireMemory } from "../passes.ts";
import type { WeightsOptions } from "./guess.ts";
import {
  formsOf,
  keptWeights,
  sumInto,
  weightsCombineGraph,
  weightsGramGraph,
  withoutModelOutputs,
} from "./kept.ts";

/**
 * The passes of `keptWeights`, between which tangents and gradients stay where the runtime computes: the loss, k derivatives and the
 * Gram matrix of each parameter's tangents leave it, k coefficients enter it. Signs are drawn there (their products in float32 are whole
 * numbers, so exact to 2²⁴ numbers of a parameter), other tangents here. A Gram matrix that has to be in float64, which devices lack, is
 * computed here. Tangents in chunks, from exact derivatives, or with a guess are kept here altogether.
 *
 * @throws as `keptWeights`
 */
export async function heldWeights(objective: Differentiable, options: WeightsOptions): Promise<Passes> {
  const { runtime, graph, parameters } = objective;
  const { residence } = runtime;
  const isGuessed = options.guess !== undefined && options.guess.name !== "none";
  const isElsewhere = options.simulated || options.tangentChunk !== undefined || isGuessed;
  if (!residence || isElsewhere) return keptWeights(objective, options);
  const k = options.tangents;
  const method = methodIn(countParameters(parameters), options);
  const { sampler, dimension } = method;
  const parts = tangentParts(parameterShapes(parameters), k, sampler);
  requireMemory(
    method,
    parts.map(({ shape }) => elementCount(shape) / k),
  );
  const held = new HeldSet(residence);
  const forms = formsOf({ parts, sampler });
  const drawn = weightDrawer(objective, method, parts, held);
  const gradients = held.gradients(objective);
  const statistics = statisticsBuffers(objective);
  const [loss, results] = [zeros("float32", []), zeros("float32", [k])];
  const products = Object.fromEntries(
    [...forms.keys()].map((name) => [gramName(name), zeros("float32", [k, k])] as const),
  );
  const total = new Float64Array(k * k);
  const open = (compiled: Graph, outputs: Tensors = {}) =>
    compileGraph(runtime, compiled, { stays: held.namesOf(outputs) });
  const dual = await open(
    fasterGraph(withoutModelOutputs(derivativeGraph(graph, forms, k, reserved.loss), objective)),
  );
  const isFast = method.aggregator.usesGram && !method.exactGram;
  const observed = isFast ? await open(weightsGramGraph(graph, forms, k)) : undefined;
  const combined = await open(weightsCombineGraph(graph, forms, k), gradients.outputs);
  return {
    ...{ name: "weights", method, examples: 1 },
    held: { gradients: gradients.byParameter, memory: {} },
    draw: (key) => drawn.draw(key),
    async derivatives(feeds, _first, _count, derivatives) {
      await dual.run({ ...feeds, ...drawn.feeds }, { loss, derivatives: results, ...statistics.tensors });
      derivatives.set(results.data as Float32Array);
      return { loss: Number(loss.data[0]), statistics: statistics.statistics };
    },
    async gram() {
      await observed?.run(drawn.feeds, products);
      if (observed) sumInto(total, products);
      const all = { gram: observed || !drawn.here ? total : gram(drawn.here), dimension };
      return () => all;
    },
    async combine(_feeds, { data }) {
      const coefficients = { dtype: "float32", shape: [k], data } as const;
      await combined.run({ ...drawn.feeds, coefficients }, gradients.outputs);
      return {};
    },
    async release() {
      held.release();
      await Promise.all([dual, observed, combined, drawn].map((one) => one?.release()));
    },
  };
}

/** Draws tangents into held tensors: signs by the device, where it takes shaders and nobody here reads them. */
function weightDrawer(
  { runtime, parameters }: Differentiable,
  { sampler, exactGram, aggregator, tangents: k }: Method,
  parts: readonly TangentRange[],
  held: HeldSet,
) {
  const { residence } = held;
  const tensors = parts.map(({ shape }) => held.hold({ dtype: "float32", shape }));
  const feeds = Object.fromEntries(
    parts.map((part, index) => [tangentInputName(part), tensors[index] as Tensor] as const),
  );
  const { compute } = residence;
  const isReadHere = aggregator.usesGram && exactGram;
  if (compute && !isReadHere && areCounted(sampler, Number.POSITIVE_INFINITY))
    return {
      ...{ feeds, here: undefined },
      draw(key: Key) {
        for (const [index, { offset, shape }] of parts.entries()) {
          const rows = Array.from({ length: k }, (_, tangent) => ({
            key: fold(key, tangent),
            start: offset,
          }));
          drawSignsOn({ compute }, rows, elementCount(shape) / k, tensors[index] as Tensor);
        }
      },
      release: async () => {},
    };
  const drawer = createDrawer(runtime);
  const set = createTangentSet(parameterShapes(parameters), k, sampler);
  return {
    ...{ feeds, here: set },
    draw(key: Key) {
      drawTangents(set, key, drawer);
      for (const [index, { tensor }] of set.parts.entries())
        residence.write(tensors[index] as Tensor, tensor.data);
    },
    release: () => drawer.release(),
  };
}
