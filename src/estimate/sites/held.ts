/** Tangents at sites that stay where the runtime computes, with all that follows from them. */
import { tangentName } from "../../ad/names.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { type Graph, getValue } from "../../onnx/graph.ts";
import { type Tensor, zeros } from "../../onnx/tensor.ts";
import { fasterGraph } from "../../ops/upgrade.ts";
import { drawSignsOn } from "../../random/device-signs.ts";
import { createDrawer } from "../../random/drawer.ts";
import { fold } from "../../random/threefry.ts";
import { compileGraph } from "../../runtime/evaluate.ts";
import type { Residence, Tensors } from "../../runtime/runtime.ts";
import { areCounted } from "../../tangents/sampler.ts";
import { createSiteTangents, drawSiteTangents, type SiteTangents } from "../../tangents/site-tangents.ts";
import { HeldSet } from "../held-set.ts";
import { type Method, methodIn, type Passes, requireMemory } from "../passes.ts";
import type { FoundSite, FoundSites } from "./found-sites.ts";
import { exactGrams, gramCount, gramResults } from "./grams.ts";
import { dualGraph, findSites, localGraph, observationGraph, type TangentCounts } from "./graphs.ts";
import { type FoundGuess, findGuess } from "./guess.ts";
import type { ActivationsOptions } from "./kept.ts";

/**
 * The passes of `keptSites`, between which tangents, primal values, what is foreseen and remembered, and gradients stay where the
 * runtime computes: losses, derivatives and Gram matrices leave it, coefficients enter it. Signs are drawn there, other
 * tangents here. Gram matrices that have to be in float64, which devices lack, are computed here, of tangents that are drawn here: for
 * them, values at rectified sites leave it.
 *
 * @param keptSites opens the passes where tangents come in chunks or from exact derivatives: given, because a page that keeps all at
 * home loads its module anyhow
 */
export function heldSites(keptSites: OpenPasses): OpenPasses {
  return (objective, options, known) => openHeld(objective, options, known, keptSites);
}

/** Opens passes for the sites of an objective. */
type OpenPasses = (
  objective: Differentiable,
  options: ActivationsOptions,
  known?: FoundSites,
) => Promise<Passes>;

async function openHeld(
  objective: Differentiable,
  options: ActivationsOptions,
  known: FoundSites | undefined,
  keptSites: OpenPasses,
): Promise<Passes> {
  const { runtime, batch } = objective;
  const { residence } = runtime;
  const found = known ?? (await findSites(objective, options));
  const method = methodIn(found.dimension, options);
  const isElsewhere = options.simulated || options.tangentChunk !== undefined;
  if (!residence || isElsewhere) return keptSites(objective, { ...options, resident: false }, found);
  const examples = options.shareTangents ? 1 : batch;
  requireMemory(
    method,
    found.sites.map(({ size }) => size * examples),
  );
  const held = new HeldSet(residence);
  const guess = await findGuess(objective, options, found);
  const graphs = siteGraphs(objective, found, { count: method.tangents, examples }, method, guess);
  const drawn = siteDrawer(objective, residence, found, method, examples, held);
  return openPasses(objective, options, { residence, found, method, examples, held, guess, graphs, drawn });
}

/** What the passes are made of. */
interface Parts {
  readonly residence: Residence;
  readonly found: FoundSites;
  readonly method: Method;
  readonly examples: number;
  readonly held: HeldSet;
  readonly guess: FoundGuess | undefined;
  readonly graphs: ReturnType<typeof siteGraphs>;
  readonly drawn: ReturnType<typeof siteDrawer>;
}

async function openPasses(
  objective: Differentiable,
  options: ActivationsOptions,
  { residence, found, method, examples, held, guess, graphs, drawn }: Parts,
): Promise<Passes> {
  const { runtime, graph, batch } = objective;
  const k = method.tangents;
  const residuals = Object.fromEntries(
    graphs.needed.map((name) => {
      const { dtype, shape } = getValue(graph, name);
      // The engine leaves other types where it computed them.
      return [name, dtype === "float32" ? held.hold({ dtype, shape }) : zeros(dtype, shape)] as const;
    }),
  );
  const { rows, foreseen, memory, next } = heldGuess(held, guess, k);
  const gradients = held.gradients(objective);
  const loss = zeros("float32", []);
  const results = zeros("float32", [k, batch]);
  const open = (compiled: Graph, outputs: Tensors) =>
    compileGraph(runtime, fasterGraph(compiled), { stays: held.namesOf(outputs) });
  const dual = await open(graphs.dual, { ...residuals, ...rows });
  const observed = graphs.observed && (await open(graphs.observed, { ...foreseen, ...next }));
  const local = await open(graphs.local, gradients.outputs);
  const values = { ...drawn.feeds, ...residuals };
  const grams = stepGrams(found, method, { examples, batch }, drawn.here, async ({ value }) => {
    const tensor = residuals[value] as Tensor;
    const { dtype, shape } = tensor;
    return { dtype, shape, data: await residence.read(tensor) };
  });
  return {
    name: options.blocks ? "blocks" : "activations",
    method,
    examples: batch,
    held: { gradients: gradients.byParameter, memory },
    guess: guess?.passes(async (feeds, outputs) => {
      const inputs = { ...values, ...feeds, ...rows, ...memory };
      await observed?.run(inputs, { ...grams.tensors, ...outputs, ...foreseen, ...next });
    }, true),
    draw: (key, _first, _count, before = 0) => drawn.draw(key, options.shareTangents ? 0 : before),
    async derivatives(feeds, _first, _count, derivatives) {
      const outputs = { loss, derivatives: results, ...residuals, ...rows };
      await dual.run({ ...feeds, ...drawn.feeds }, outputs);
      derivatives.set(results.data as Float32Array);
      return { loss: Number(loss.data[0]), statistics: {} };
    },
    async gram() {
      // A guess has looked at the tangents already.
      if (!guess) await observed?.run(values, grams.tensors);
      await grams.read();
      if (gramCount(found, examples, batch) > 1) return grams.ofExample;
      const shared = grams.ofExample(0);
      return () => shared;
    },
    async combine(feeds, coefficients) {
      await local.run({ ...feeds, ...values, coefficients, ...foreseen }, gradients.outputs);
      return {};
    },
    async release() {
      held.release();
      await Promise.all([dual, observed, local, drawn].map((one) => one?.release()));
    },
  };
}

/** The graphs of a step, and the primal values that cross from the first to the others. */
function siteGraphs(
  objective: Differentiable,
  found: FoundSites,
  counts: TangentCounts,
  method: Method,
  guess: FoundGuess | undefined,
) {
  const { graph } = objective;
  const isExact = hasExactGrams(method);
  const gram = method.aggregator.usesGram && !isExact;
  // What corrects a guess is brought to ∇f itself.
  const local = localGraph(objective, found, counts, guess ? 1 : method.gain, "inputs", guess);
  const observed = gram || guess ? observationGraph(objective, found, counts, { gram, guess }) : undefined;
  const inputs = [local, observed].flatMap((each) => each?.inputs.map(({ name }) => name) ?? []);
  const masks = isExact ? rectifiedOf(found).map(({ value }) => value) : [];
  const needed = [...new Set([...inputs, ...masks])].filter(
    (name) => graph.values.has(name) && !graph.inputs.some((input) => input.name === name),
  );
  return { local, observed, needed, dual: dualGraph(objective, found, counts, needed, guess) };
}

const hasExactGrams = ({ aggregator, exactGram }: Method) => aggregator.usesGram && exactGram;

const rectifiedOf = ({ sites }: FoundSites) => sites.filter(({ rectified }) => rectified);

/**
 * Gram matrices: the runtime's float32 products, or float64 ones of tangents that are here.
 *
 * @param valueAt reads the value at a site
 */
function stepGrams(
  found: FoundSites,
  method: Method,
  { examples, batch }: { readonly examples: number; readonly batch: number },
  here: SiteTangents | undefined,
  valueAt: (site: FoundSite) => Promise<Tensor>,
) {
  if (!here || !hasExactGrams(method)) {
    const { tensors, ofExample } = gramResults(found, { k: method.tangents, examples, batch });
    return { tensors: method.aggregator.usesGram ? tensors : {}, ofExample, read: async () => {} };
  }
  const { ofExample, read } = exactGrams(found, here, batch);
  return {
    ...{ tensors: {}, ofExample },
    async read() {
      const values = rectifiedOf(found).map(async (site) => [site.value, await valueAt(site)] as const);
      read(Object.fromEntries(await Promise.all(values)));
    },
  };
}

/**
 * The tensors of a guess. What is remembered after a step takes the place of what was before: nothing that the step reads
 * afterwards depends on it.
 */
function heldGuess(held: HeldSet, guess: FoundGuess | undefined, k: number) {
  if (!guess) return { rows: {}, foreseen: {}, memory: {}, next: {} };
  const arrays = guess.memory.map(({ name, next }) => ({ name, next, tensor: held.hold(next.tensor) }));
  return {
    rows: held.all(guess.rows(0, k)),
    foreseen: held.all(guess.foreseen),
    memory: Object.fromEntries(arrays.map(({ name, tensor }) => [name, tensor])),
    next: Object.fromEntries(arrays.map(({ next, tensor }) => [next.name, tensor])),
  };
}

/** Draws tangents into held tensors: signs by the device, where it takes shaders and nobody here reads them. */
function siteDrawer(
  { runtime }: Differentiable,
  residence: Residence,
  { sites }: FoundSites,
  method: Method,
  examples: number,
  all: HeldSet,
) {
  const { tangents: k, sampler } = method;
  const held = sites.map(({ size }) => all.hold({ dtype: "float32", shape: [k, examples, size] }));
  const feeds = Object.fromEntries(
    sites.map(({ value }, site) => [tangentName(value), held[site] as Tensor] as const),
  );
  const { compute } = residence;
  if (compute && !hasExactGrams(method) && areCounted(sampler, Number.POSITIVE_INFINITY))
    return {
      ...{ feeds, here: undefined },
      draw(key: Parameters<Passes["draw"]>[0], before: number) {
        for (const [site, { size }] of sites.entries()) {
          const ranges = Array.from({ length: k }, (_, tangent) => ({
            key: fold(fold(key, tangent), site),
            start: before * size,
          }));
          drawSignsOn({ compute }, ranges, examples * size, held[site] as Tensor);
        }
      },
      release: async () => {},
    };
  const drawer = createDrawer(runtime);
  const tangents = createSiteTangents(sites, k, examples, sampler);
  return {
    ...{ feeds, here: tangents },
    draw(key: Parameters<Passes["draw"]>[0], before: number) {
      drawSiteTangents(tangents, key, drawer, 0, k, before);
      for (const [site, { tensor }] of tangents.sites.entries())
        residence.write(held[site] as Tensor, tensor.data);
    },
    release: () => drawer.release(),
  };
}
