/** The last layer of a model whose weights are perturbed: its gradient follows exactly from the loss. */
import { gradientGraph } from "../../ad/gradient.ts";
import { layerSites } from "../../ad/layers.ts";
import { reserved } from "../../ad/names.ts";
import { SettingError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import type { Differentiable, Objective } from "../../objective/objective.ts";
import { fasterGraph } from "../../ops/upgrade.ts";
import { compileGraph } from "../../runtime/evaluate.ts";
import { type Estimator, gradientBuffers } from "../estimator.ts";
import type { EstimatorOptions } from "../passes.ts";
import { compileSegments } from "../segmented.ts";

/** An objective, cut where the last layer begins. */
export interface LastLayer {
  /** The objective of the parameters before it. */
  readonly before: Differentiable;
  /** Names of the parameters that lie in it alone. */
  readonly parameters: readonly string[];
}

/**
 * Finds the parameters that lie in the last layer alone, as sites of activations are found.
 *
 * @throws SettingError when there are none, or all are there
 */
export function findLastLayer(objective: Differentiable & Partial<Pick<Objective, "loss">>): LastLayer {
  const { graph, parameters, loss } = objective;
  if (loss?.together)
    throw new SettingError(
      words`${option("perturb.exactLastLayer", true)} reads the gradient of each example's own loss, and ${loss.name} compares the examples of a batch with
        each other. Leave it out.`,
      { option: "perturb.exactLastLayer" },
    );
  const { sites, last } = graph.values.has(reserved.losses)
    ? layerSites(graph, graph.parameters, reserved.losses)
    : { sites: [], last: undefined };
  const earlier = new Set(sites.flatMap((site) => site.parameters));
  const own = (last?.parameters ?? []).filter((name) => !earlier.has(name));
  if (own.length === 0)
    throw new SettingError(
      words`${option("perturb.exactLastLayer", true)} needs trained parameters in the last layer, whose gradient follows
        from the loss, and others before it; '${graph.name}' has not both. Leave it out.`,
      { option: "perturb.exactLastLayer" },
    );
  const isOwn = new Set(own);
  return {
    parameters: own,
    before: {
      ...objective,
      graph: { ...graph, parameters: graph.parameters.filter((name) => !isOwn.has(name)) },
      parameters: Object.fromEntries(Object.entries(parameters).filter(([name]) => !isOwn.has(name))),
    },
  };
}

/**
 * Adds the exact gradient of the last layer to an estimate of the others', at the same gain: one forward pass, and the local
 * transpose of that layer.
 *
 * @param estimator estimates the gradient of `lastLayer.before`
 * @throws when the engine refuses the graph
 */
export async function withLastLayer(
  estimator: Estimator,
  objective: Differentiable,
  { parameters }: LastLayer,
  { lowMemory, pieceBytes }: Pick<EstimatorOptions, "lowMemory" | "pieceBytes">,
): Promise<Estimator> {
  const { graph, runtime } = objective;
  const local = gradientGraph(graph, parameters, reserved.loss);
  const tensors = Object.entries(objective.parameters).filter(([name]) => parameters.includes(name));
  const { tensors: outputs, gradients } = gradientBuffers({ parameters: Object.fromEntries(tensors) });
  const session = lowMemory
    ? await compileSegments(runtime, local, graph, pieceBytes)
    : await compileGraph(runtime, fasterGraph(local));
  const gain = estimator.gain ?? 1;
  return {
    ...estimator,
    async estimate(feeds, key, state) {
      const estimate = await estimator.estimate(feeds, key, state);
      await session.run(feeds, outputs);
      for (const values of Object.values(gradients))
        for (const [index, value] of values.entries()) values[index] = gain * value;
      const all = { ...estimate.gradients, ...gradients };
      return {
        ...estimate,
        gradients: Object.fromEntries(
          Object.keys(objective.parameters).map((name) => [name, all[name] as Float32Array]),
        ),
      };
    },
    async release() {
      await Promise.all([estimator.release(), session.release()]);
    },
  };
}
