/** Weight perturbation whose derivatives come in granules, from whoever computed them. */
import { SettingError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import type { BatchParts, Estimator, EstimatorDefinition, StepFollower } from "../../estimate/estimator.ts";
import { forwardGradient } from "../../estimate/forward-gradient.ts";
import { type EstimatorOptions, type Method, methodIn, type Passes } from "../../estimate/passes.ts";
import { weights } from "../../estimate/weights/weights.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { countParameters, parameterShapes } from "../../objective/parameters.ts";
import type { Key } from "../../random/threefry.ts";
import type { Tensors } from "../../runtime/runtime.ts";
import { bySlices } from "./by-slices.ts";
import { ofThoseCounted } from "./counted.ts";
import { openGram, openSliceGrams } from "./gram.ts";
import { openGranulePass } from "./granule.ts";
import { type Granule, granulesOf, type SlicedTangents, sliceOf, slicesOf } from "./slices.ts";
import { openUpdate } from "./update.ts";
import { type MeasuredStep, type WeighedPart, weigh } from "./weigh.ts";

/** What a source of derivatives knows of the run. */
export interface GranuleRun {
  /** What is differentiated. */
  readonly objective: Differentiable;
  /** k, n, and where tangents come from. */
  readonly method: Method;
  /** Tangents of a granule at most. */
  readonly size: number;
  /** A step's tangents in parts. */
  readonly granules: readonly Granule[];
  /** What each granule's tangents perturb. Default: all of them perturb all parameters. */
  readonly sliced: SlicedTangents | undefined;
}

/** An estimate that was made before. */
export interface KnownEstimate {
  /** f = mean ℓ_b over the batch. */
  readonly loss: number;
  /** c, [k] */
  readonly coefficients: Float32Array;
}

/** Where the derivatives of steps come from. */
export interface DerivativeSource {
  /** Hears once what the run is, before its first step. */
  open(run: GranuleRun): Promise<void>;
  /**
   * The derivatives of a step.
   *
   * @param feeds the batch and the parameters, by input name, each in the shape [...] that the objective's graph declares
   * @param key the step's, of which tangents are a function
   * @param parts where the batch comes in parts: granules are computed for each of them. Default: the batch that was read
   */
  measure(feeds: Tensors, key: Key, parts?: BatchParts): Promise<MeasuredStep>;
  /** The estimate of this step, where it was made before. Default: none was. */
  known?(): KnownEstimate | undefined;
  /** Hears the coefficients c, [k], of the step that was measured. */
  formed?(coefficients: Float32Array): void;
  /** Follows the steps. Default: nobody does. */
  readonly follower?: StepFollower;
  /** Frees what it holds; nothing is asked for afterwards. */
  release(): Promise<void>;
}

export type { MeasuredStep };

/** What granules can be asked for. */
export interface GranuleOptions {
  /** Tangents of a granule, which are one dual pass: a part of what a run is. Default 4. */
  readonly size?: number;
  /**
   * Each granule perturbs another slice of the parameters, and another at each step: an update takes n·k/W numbers instead of n·k, with W
   * granules, and its error is the same. A part of what a run is. Default: where there are 65,536 parameters or more.
   */
  readonly sliced?: boolean;
  /** Where derivatives come from. Default: they are computed here, one granule after the other. */
  readonly source?: DerivativeSource;
}

const defaultSize = 4;

/**
 * Weight perturbation in granules, as the `gradient` of a run: the estimate of `weights`, to rounding, with derivatives that may come
 * from elsewhere, and an update that is the same bits on every kind of CPU.
 *
 * @throws SettingError for a size below 1; when planned, for tangents that depend on each other, and models that keep statistics
 * of batches
 */
export function inGranules({ size = defaultSize, sliced, source }: GranuleOptions = {}): EstimatorDefinition {
  if (!Number.isSafeInteger(size) || size < 1)
    throw new SettingError(words`${option("granule", size)} must be a whole number of tangents from 1.`, {
      option: "granule",
    });
  const { noise } = weights();
  return {
    name: "granules",
    config: { size, ...(sliced !== undefined && { sliced }) },
    noise,
    async plan(objective, options) {
      const { method, sliced: cut } = methodOf(objective, options, { granule: size, sliced });
      requireGranules(objective, method, options);
      const { dimension } = method;
      return { dimension, open: () => open(objective, method, size, cut, source ?? here()) };
    },
  };
}

/** Fewer numbers are added so fast that slices gain nothing. */
const slicedFrom = 2 ** 16;

/** What is decided once the parameters are known: the same for whoever computes a run's granules. */
export function methodOf(
  { parameters }: Pick<Differentiable, "parameters">,
  options: EstimatorOptions,
  { granule: size, sliced: asked }: { readonly granule: number; readonly sliced?: boolean | undefined },
): { readonly method: Method; readonly sliced: SlicedTangents | undefined } {
  const dimension = countParameters(parameters);
  const method = methodIn(dimension, options);
  const granules = granulesOf(method.tangents, size);
  if (!(asked ?? dimension >= slicedFrom) || granules.length === 1) return { method, sliced: undefined };
  return {
    method,
    sliced: { granules, slices: slicesOf(parameterShapes(parameters), granules.length, method.sampler) },
  };
}

async function open(
  objective: Differentiable,
  chosen: Method,
  size: number,
  sliced: SlicedTangents | undefined,
  source: DerivativeSource,
): Promise<Estimator> {
  const granules = granulesOf(chosen.tangents, size);
  let counted: readonly boolean[] = [];
  let stepKey: Key = [0, 0];
  let stepParts: BatchParts | undefined;
  const aggregator = sliced
    ? bySlices(chosen.aggregator, chosen.sampler, () =>
        granules.map((granule, index) => ({
          ...granule,
          dimension: sliceOf(sliced.slices, stepKey, index).size,
          isCounted: counted[index] === true,
        })),
      )
    : ofThoseCounted(chosen.aggregator, (tangent) => counted[Math.floor(tangent / size)] === true);
  const method = { ...chosen, aggregator };
  const update = openUpdate(parameterShapes(objective.parameters), method.sampler, objective.runtime, sliced);
  const openGrams = () => (sliced ? openSliceGrams(objective, method, sliced) : openGram(objective, method));
  const grams = aggregator.usesGram ? await openGrams() : undefined;
  await source.open({ objective, method, size, granules, sliced });
  let products: Promise<Float64Array> | undefined;
  const passes: Passes = {
    name: "granules",
    method,
    examples: 1,
    draw(key) {
      stepKey = key;
    },
    async derivatives(feeds, _first, _count, derivatives) {
      const measuring = source.measure(feeds, stepKey, stepParts);
      // While others compute.
      products = grams?.of(stepKey);
      const [measured] = await Promise.all([measuring, products]);
      ({ counted } = measured);
      derivatives.set(measured.derivatives);
      return { loss: measured.loss, statistics: {} };
    },
    async gram() {
      const known = { gram: (await products) as Float64Array, dimension: method.dimension };
      return () => known;
    },
    async combine(_feeds, { data }) {
      source.formed?.(data as Float32Array);
      return update.form(stepKey, data as Float32Array);
    },
    async release() {
      await Promise.all([update, grams, source].map((each) => each?.release()));
    },
  };
  const estimator = forwardGradient(passes);
  const estimate: Estimator["estimate"] = async (feeds, key, ...rest) => {
    const known = source.known?.();
    if (!known) return estimator.estimate(feeds, key, ...rest);
    // Derivatives are not recorded, for nothing but coefficients follows from them.
    const derivatives = new Float64Array(method.tangents).fill(Number.NaN);
    const gradients = update.form(key, known.coefficients);
    return { loss: known.loss, derivatives, gradients, statistics: {} };
  };
  return {
    ...estimator,
    follower: source.follower,
    estimate,
    async estimateParts(feeds, key, parts) {
      stepParts = parts;
      return estimate(feeds, key).finally(() => {
        stepParts = undefined;
      });
    },
  };
}

/** Computes granules in this process. */
function here(): DerivativeSource {
  let run: GranuleRun | undefined;
  let pass: Awaited<ReturnType<typeof openGranulePass>> | undefined;
  return {
    async open(given) {
      run = given;
      pass = await openGranulePass(given.objective, given.method.sampler, given.size, given.sliced?.slices);
    },
    async measure(feeds, key, parts) {
      const { granules = [] } = run ?? {};
      const answers: (WeighedPart | undefined)[] = [];
      for (let part = 0; part < (parts?.count ?? 1); part++) {
        const weight = parts ? await parts.read(part) : 1;
        for (const granule of granules) {
          const measured = await pass?.measure(feeds, key, granule);
          answers.push(measured && { ...measured, weight });
        }
      }
      return weigh(granules, answers);
    },
    release: async () => pass?.release(),
  };
}

/** @throws SettingError, ModelError */
function requireGranules(
  { statistics = {} }: Differentiable,
  { sampler }: Method,
  { lowMemory }: EstimatorOptions,
): void {
  if (sampler.arrange)
    throw new SettingError(
      words`Tangents of the sampler '${sampler.name}' depend on each other, and granules are drawn apart; use rademacher, gaussian,
        sphere or low-rank (${option("sampler", "low-rank")}).`,
      { option: "sampler" },
    );
  if (lowMemory)
    throw new SettingError(
      words`${option("lowMemory", true)} is not there for tangents in granules; a granule of few tangents (${option("granule", 1)}) takes little
        memory, as do tangents of low rank (${option("sampler", "low-rank")}).`,
      { option: "lowMemory" },
    );
  const [name] = Object.keys(statistics);
  if (name !== undefined)
    throw new SettingError(
      words`The model keeps statistics of batches ('${name}'), which granules do not carry; use those that it has
        (${option("batchNorm", "frozen")}).`,
      { option: "batchNorm" },
    );
}
