import { keepUsedInputs, localGradientGraph } from "../ad/gradient.ts";
import { pushforward } from "../ad/pushforward.ts";
import { activationSites, type Site } from "../ad/sites.ts";
import { type Graph, getValue, prune, type Value } from "../onnx/graph.ts";
import { elementCount, type Tensor, zeros } from "../onnx/tensor.ts";
import { GraphBuilder } from "../ops/builder.ts";
import { reshape } from "../ops/rules.ts";
import type { Key } from "../random/threefry.ts";
import { compileGraph } from "../runtime/evaluate.ts";
import type { Session, Tensors } from "../runtime/runtime.ts";
import { emitExampleCombine } from "../tangents/combine.ts";
import { emitExampleGram, exampleGram } from "../tangents/gram.ts";
import { createSiteTangents, drawSiteTangents, type SiteTangents } from "../tangents/site-tangents.ts";
import { refuseCoupling } from "./coupling.ts";
import { chunkSizes, type Estimate, type Estimator, gramPrecision, needsExactGram } from "./estimator.ts";
import type { Differentiable } from "./objective.ts";
import { simulateSites } from "./simulated.ts";
import { type EstimatorOptions, rowsOf } from "./weights.ts";

export interface ActivationsOptions extends EstimatorOptions {
  /** One set of tangents for all examples of a batch instead of one each. Default false. */
  readonly shareTangents?: boolean;
}

/**
 * Activation perturbation: tangents at the sites, one dual pass for d_i,b = ∂ℓ_b·v_i,b, coefficients for each example,
 * ĝ at each site, and from there the parameters' gradients by the local transpose of their block. No gradient crosses
 * a site.
 *
 * @throws when a value mixes examples, a parameter has no site, or a site's values do not belong to single examples
 */
export async function activationsEstimator(
  objective: Differentiable,
  options: ActivationsOptions,
): Promise<Estimator> {
  const { runtime, graph, batch } = objective;
  await refuseCoupling(objective);
  const k = options.tangents;
  const sites = activationSites(graph, graph.parameters, "losses");
  const sizes = sites.map((site) => ({ value: site.value, size: siteSize(graph, site, batch) }));
  const examples = options.shareTangents ? 1 : batch;
  const tangents = createSiteTangents(sizes, k, examples, options.sampler);
  const dimension = sizes.reduce((total, { size }) => total + size, 0);
  const usesGram = options.aggregator.usesGram;
  const exactGram = needsExactGram(k, dimension, options.sampler);

  const local = localGraph(graph, sites, tangents, batch);
  const residuals = local.inputs.map((input) => input.name).filter((name) => !isOwnInput(graph, name));
  const needed = residuals.filter((name) => graph.values.has(name));
  const simulated = options.simulated ? await simulateSites(objective, tangents, needed) : undefined;
  const chunkList = simulated ? [] : chunkSizes(k, options.tangentChunk);
  const chunks = await compileChunks(objective, tangents, chunkList, needed);
  const gramSession = usesGram && !exactGram ? await compileGraph(runtime, gramGraph(tangents)) : undefined;
  const localSession = await compileGraph(runtime, local);

  const tangentFeeds = Object.fromEntries(
    tangents.sites.map(({ value, tensor }) => [`tangent/${value}`, tensor]),
  );
  const residualTensors = Object.fromEntries(
    needed.map((name) => [name, zeros(getValue(graph, name).dtype, getValue(graph, name).shape)]),
  );
  const derivatives = new Float64Array(k * batch);
  const chunkDerivatives = chunks.map((chunk) => zeros("float32", [chunk.size, batch]));
  const lossTensor = zeros("float32", []);
  const coefficients = zeros("float32", [k, batch]);
  const gradientTensors = Object.fromEntries(
    Object.entries(objective.parameters).map(([name, { shape }]) => [
      `gradient/${name}`,
      zeros("float32", shape),
    ]),
  );
  const gradients = Object.fromEntries(
    Object.keys(objective.parameters).map((name) => [
      name,
      gradientTensors[`gradient/${name}`]?.data as Float32Array,
    ]),
  );
  const oneExample = { derivatives: new Float64Array(k), coefficients: new Float64Array(k) };
  const matrix = new Float64Array(k * k);
  const context = { dimension, gramPrecision: gramPrecision(exactGram) };

  return {
    name: "activations",
    dimension,
    async estimate(feeds: Tensors, key: Key): Promise<Estimate> {
      drawSiteTangents(tangents, key);
      let loss = (await simulated?.run(feeds, derivatives, residualTensors)) ?? 0;
      for (const [index, chunk] of chunks.entries()) {
        const outputs = { loss: lossTensor, derivatives: chunkDerivatives[index] as Tensor };
        const wanted = index === 0 ? { ...outputs, ...residualTensors } : outputs;
        await chunk.session.run({ ...feeds, ...chunk.tangents }, wanted);
        derivatives.set(outputs.derivatives.data as Float32Array, chunk.start * batch);
        loss = Number(lossTensor.data[0]);
      }
      const grams = gramSession && ((await gramSession.run(tangentFeeds)).gram?.data as Float32Array);
      for (let example = 0; example < batch; example++) {
        const row = examples === 1 ? 0 : example;
        for (let i = 0; i < k; i++) oneExample.derivatives[i] = derivatives[i * batch + example] as number;
        if (usesGram && (row > 0 || example === 0)) {
          if (grams) matrix.set(grams.subarray(row * k * k, (row + 1) * k * k));
          else exampleGram(tangents, row, matrix);
        }
        options.aggregator.aggregate(
          oneExample.derivatives,
          usesGram ? matrix : undefined,
          oneExample.coefficients,
          context,
        );
        for (let i = 0; i < k; i++)
          coefficients.data[i * batch + example] = oneExample.coefficients[i] as number;
      }
      await localSession.run(
        { ...feeds, ...tangentFeeds, ...residualTensors, coefficients },
        gradientTensors,
      );
      return { loss, derivatives, gradients };
    },
    async release() {
      const sessions = [...chunks.map((chunk) => chunk.session), gramSession, localSession];
      await Promise.all([...new Set(sessions), simulated].map((one) => one?.release()));
    },
  };
}

function isOwnInput(graph: Graph, name: string): boolean {
  return graph.inputs.some((input) => input.name === name);
}

/** Numbers that one example has at a site; the site's first axis must be the batch, or batch × positions. */
function siteSize(graph: Graph, site: Site, batch: number): number {
  const { shape } = getValue(graph, site.value);
  if (shape.length === 0 || (shape[0] as number) % batch !== 0) {
    throw new Error(
      `The site '${site.value}' of ${site.parameters.map((name) => `'${name}'`).join(", ")} has the shape ` +
        `[${shape.join(", ")}], whose first axis is no multiple of the batch size ${batch}, so its values do not belong to ` +
        "single examples. Perturb weights instead (perturb: weights).",
    );
  }
  return elementCount(shape) / batch;
}

interface Chunk {
  readonly session: Session;
  readonly start: number;
  readonly size: number;
  readonly tangents: Tensors;
}

async function compileChunks(
  objective: Differentiable,
  tangents: SiteTangents,
  sizes: readonly number[],
  residuals: readonly string[],
): Promise<Chunk[]> {
  const sessions = new Map<number, Session>();
  for (const size of new Set(sizes))
    sessions.set(
      size,
      await compileGraph(objective.runtime, dualGraph(objective, tangents, size, residuals)),
    );
  let start = 0;
  return sizes.map((size) => {
    const first = start;
    start += size;
    const feeds = tangents.sites.map(
      ({ value, tensor }) => [`tangent/${value}`, rowsOf(tensor, first, size)] as const,
    );
    return {
      session: sessions.get(size) as Session,
      start: first,
      size,
      tangents: Object.fromEntries(feeds),
    };
  });
}

/** Outputs `loss`, `derivatives` [k, batch] and the primal values that the local transposes need. */
function dualGraph(
  objective: Differentiable,
  tangents: SiteTangents,
  count: number,
  residuals: readonly string[],
): Graph {
  const { graph, batch } = objective;
  const g = new GraphBuilder(`${graph.name}/dual`, graph);
  const seeds = new Map<string, Value>();
  for (const { value, size } of tangents.sites) {
    const { shape } = getValue(graph, value);
    const input = g.input(`tangent/${value}`, "float32", [count, tangents.examples, size]);
    const perExample =
      tangents.examples === batch || shape[0] === batch ? input : g.expand(input, [count, batch, size]);
    const leading = perExample === input && tangents.examples === 1 ? [1, ...shape.slice(1)] : shape;
    seeds.set(value, reshape(g, perExample, [count, ...leading]));
  }
  const derivatives = pushforward(g, graph, seeds).get("losses");
  if (!derivatives || "left" in derivatives)
    throw new Error(`The losses of '${graph.name}' depend on no site.`);
  const own = g.build({ loss: getValue(graph, "loss"), derivatives });
  const kept = residuals.map((name) => getValue(graph, name));
  return prune({ ...g.snapshot(), outputs: [...own.outputs, ...kept] });
}

/** Outputs `gradient/<parameter>` from `coefficients` [k, batch], the tangents and the residuals. */
export function localGraph(
  graph: Graph,
  sites: readonly Site[],
  tangents: SiteTangents,
  batch: number,
): Graph {
  let coefficients: Value | undefined;
  return localGradientGraph(graph, sites, (g, site, value) => {
    coefficients ??= g.input("coefficients", "float32", [tangents.count, batch]);
    const size = elementCount(value.shape) / batch;
    const input = g.input(`tangent/${site.value}`, "float32", [tangents.count, tangents.examples, size]);
    // The mean over the batch enters here, once.
    const mean = g.mul(emitExampleCombine(g, input, coefficients), 1 / batch);
    return reshape(g, mean, value.shape);
  });
}

/** Output `gram` [examples, k, k], summed over the sites. */
function gramGraph(tangents: SiteTangents): Graph {
  const g = new GraphBuilder("gram");
  const terms = tangents.sites.map(({ value, tensor }) =>
    emitExampleGram(g, g.input(`tangent/${value}`, "float32", tensor.shape)),
  );
  const total = terms.reduce((sum, term) => g.add(sum, term));
  return keepUsedInputs(g.build({ gram: total }), new Set());
}
