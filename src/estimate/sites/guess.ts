/** A guess at sites: what a step emits for it, what it remembers, and what it writes. */
import { emitGradientAt } from "../../ad/gradient.ts";
import { guessArrayName, guessName, reserved } from "../../ad/names.ts";
import { SettingError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import type { Guess, GuessedSite, SiteMemory, SiteObservation } from "../../guess/guess.ts";
import { type ExampleLayout, exampleLayouts } from "../../objective/coupling.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { getValue, type Value } from "../../onnx/graph.ts";
import { elementCount, type Tensor, zeros } from "../../onnx/tensor.ts";
import { GraphBuilder } from "../../ops/builder.ts";
import { rulesOf } from "../../ops/find-op.ts";
import { reshape, transpose } from "../../ops/rules.ts";
import type { Tensors } from "../../runtime/runtime.ts";
import { emitExampleProducts } from "../../tangents/graphs.ts";
import type { Sampler } from "../../tangents/sampler.ts";
import type { GuessPasses } from "../passes.ts";
import type { EstimatorState } from "../state.ts";
import { type FoundSite, type FoundSites, fromExamples } from "./found-sites.ts";

/** A guess for the sites of an objective and k tangents. */
export interface FoundGuess {
  /** The value whose gradient it reads, one example's O numbers at a time. */
  readonly signal: string;
  /** q: how many of the tangents are learned from, the first ones. */
  readonly learned: number;
  /** Emits ∂ℓ_b/∂signal, [batch, O], in a graph that starts with the objective's. */
  emitGradient(g: GraphBuilder): Value;
  /** Emits Y = V Jᵀ of the tangents that are learned from, [q, batch, O], from those of the signal's value, by the name of the output. */
  emitDirectional(g: GraphBuilder, tangents: Value): Record<string, Value>;
  /** The input m at a site, [batch, n], which a step has written; undefined where nothing is foreseen. */
  inputAt(g: GraphBuilder, site: FoundSite): Value | undefined;
  /** Emits m at a site, [batch, n], from ∂ℓ_b/∂signal; undefined where nothing is foreseen. */
  emitAt(g: GraphBuilder, gradient: Value, site: FoundSite): Value | undefined;
  /**
   * Emits what a step shows, in a graph that starts with the objective's: m at each site, V m, and what is remembered after
   * the step.
   *
   * @param active how many numbers of each example are perturbed, [batch], or one number for all
   */
  emitStep(
    g: GraphBuilder,
    sites: readonly (Omit<SiteObservation, "memory"> & { readonly site: FoundSite })[],
    counts: { readonly count: number; readonly active: Value },
  ): Record<string, Value>;
  /** The outputs of a pass along tangents first … first + count − 1, with rows for those of them that are learned from. */
  rows(first: number, count: number): Tensors;
  /** Graph inputs of what `emitStep` emits: what is remembered, and Y. */
  feeds(state?: EstimatorState): Tensors;
  /** Graph inputs of `inputAt`. */
  readonly foreseen: Tensors;
  /** What is remembered: graph inputs, and the outputs after a step with tensors for them. */
  readonly memory: readonly {
    readonly name: string;
    readonly next: { readonly name: string; readonly tensor: Tensor };
  }[];
  /**
   * @param observe runs the graph with what `emitStep` emitted
   * @param isHeld whether it also keeps what is remembered. Default false
   */
  passes(observe: (feeds: Tensors, results: Tensors) => Promise<void>, isHeld?: boolean): GuessPasses;
}

/** What guesses are made for. */
export interface GuessRequest {
  /** Default: none. */
  readonly guess?: Guess;
  /** k */
  readonly tangents: number;
  /** Where tangents come from. Default: signs or normal numbers. */
  readonly sampler?: Sampler;
  /** Whether all examples have the same tangents. Default false. */
  readonly shareTangents?: boolean;
}

/**
 * Finds out what the guess of an estimator is for some sites.
 *
 * @returns undefined where nothing is guessed
 * @throws SettingError when the guess is none for sites; ModelError when the objective has no
 * logits, or its examples have none of their own
 */
export async function findGuess(
  objective: Differentiable,
  { guess, tangents: k, sampler, shareTangents = false }: GuessRequest,
  found: FoundSites,
): Promise<FoundGuess | undefined> {
  if (!guess || guess.name === "none") return undefined;
  const { graph, batch } = objective;
  const { sites } = found;
  const own = await ruleAtSites(guess);
  const rule = found.reduction?.of(own) ?? own;
  const { signal, layout } = await findSignal(objective, guess, found);
  const outputs = layout.outer * layout.inner;
  const productsName = guessName("products");
  const foreseenName = ({ value }: FoundSite) => guessName(`foreseen/${value}`);
  const directional = guessName("tangents");
  const steps = guessName(`${guess.name}/steps`);
  const arrayName = ({ value }: FoundSite, array: string) => guessArrayName(guess.name, array, value);
  /** After the step. */
  const nextName = ({ value }: FoundSite, array: string) =>
    guessArrayName(`next/${guess.name}`, array, value);
  const guessed = ({ size, isSummed = false, isBeside }: FoundSite): GuessedSite => ({
    size,
    isSummed,
    isBeside,
  });
  const memoryOf = (site: FoundSite) => Object.entries(rule.memory?.(guessed(site), outputs) ?? {});
  const arrays = sites.flatMap((site) =>
    memoryOf(site).map(([array, shape]) => ({
      name: arrayName(site, array),
      shape,
      next: { name: nextName(site, array), tensor: zeros("float32", shape) },
    })),
  );
  await requireMemory(
    guess,
    arrays.reduce((sum, { shape }) => sum + elementCount(shape), 0),
  );
  const emitMemory = (g: GraphBuilder, site: FoundSite): SiteMemory =>
    Object.fromEntries(
      memoryOf(site).map(([array, shape]) => [array, g.input(arrayName(site, array), "float32", shape)]),
    );
  const isShared = shareTangents && batch > 1;
  // Tangents at an angle to each other are about one.
  const most = sampler?.angle === undefined ? k : 1;
  const learned = rule.emitStep ? Math.min(most, rule.learned?.(k, outputs, isShared) ?? k) : 0;
  const each = batch * outputs;
  const allRows = new Float32Array((learned === 0 ? 0 : k) * each);
  const rowsFrom = (first: number, count: number): Tensor => ({
    dtype: "float32",
    shape: [count, batch, outputs],
    data: allRows.subarray(first * each, (first + count) * each),
  });
  const measured: Tensors = learned > 0 ? { [directional]: rowsFrom(0, learned) } : {};
  const products = zeros("float32", [k, batch]);
  const foreseenAt = sites.filter((site) => {
    const g = new GraphBuilder("trial", undefined, rulesOf(graph));
    const gradient = g.input("gradient", "float32", [batch, outputs]);
    const own = rule.emitGuess(g, gradient, emitMemory(g, site), guessed(site));
    if (own) requireShape(guess, `emitGuess at '${site.value}'`, own, [batch, site.size]);
    return own !== undefined;
  });
  const foreseen: Tensors = Object.fromEntries(
    foreseenAt.map((site) => [foreseenName(site), zeros("float32", [batch, site.size])]),
  );
  const results: Tensors = {
    [productsName]: products,
    ...foreseen,
    ...Object.fromEntries(arrays.map(({ next }) => [next.name, next.tensor])),
  };

  const init = (): EstimatorState => ({
    [steps]: new Float32Array(1),
    ...Object.fromEntries(arrays.map(({ name, shape }) => [name, new Float32Array(elementCount(shape))])),
  });
  const feeds = (state = init()): Tensors => {
    const tensor = (name: string, shape: readonly number[]) =>
      [name, { dtype: "float32", shape, data: state[name] as Float32Array }] as const;
    const all = [tensor(steps, []), ...arrays.map(({ name, shape }) => tensor(name, shape))];
    return { ...measured, ...Object.fromEntries(all) };
  };
  /** [count, …] of the signal's value → [count, batch, O] */
  const byExample = (g: GraphBuilder, value: Value) =>
    reshape(g, apart(g, value, layout), [value.shape[0] as number, batch, outputs]);
  /** [count, …] of a value → [count, batch, outer, inner] */
  const apart = (g: GraphBuilder, value: Value, { outer, inner }: ExampleLayout) =>
    transpose(g, reshape(g, value, [value.shape[0] as number, outer, batch, inner]), [0, 2, 1, 3]);
  const emitGradient = (g: GraphBuilder) => {
    const gradient = emitGradientAt(g, graph, signal, reserved.losses);
    // What a ReLU cut off passes no gradient on.
    const passed = found.signal?.rectified ? g.mul(gradient, g.sign(getValue(graph, signal))) : gradient;
    return reshape(g, byExample(g, passed), [batch, outputs]);
  };
  const carried = new WeakMap<GraphBuilder, ReadonlyMap<string, Value>>();
  /** The gradient that the guess reads at a site: the signal's, or what its way back from there makes of it. */
  const gradientAt = (g: GraphBuilder, gradient: Value, site: FoundSite) => {
    if (!found.carry || !found.signal) return gradient;
    const all =
      carried.get(g) ??
      found.carry(g, fromExamples(g, gradient, layout, [1, ...getValue(graph, signal).shape]));
    carried.set(g, all);
    const own = all.get(site.value);
    return own ? reshape(g, apart(g, own, site.layout), [batch, site.size]) : gradient;
  };
  const emitGuess = (g: GraphBuilder, gradient: Value, site: FoundSite, memory = emitMemory(g, site)) =>
    rule.emitGuess(g, gradientAt(g, gradient, site), memory, guessed(site));
  return {
    signal,
    learned,
    emitGradient,
    emitDirectional: (g, tangents) =>
      learned > 0 ? { [directional]: byExample(g, firstRows(g, tangents, learned)) } : {},
    inputAt: (g, site) =>
      foreseenAt.includes(site) ? g.input(foreseenName(site), "float32", [batch, site.size]) : undefined,
    emitAt: emitGuess,
    emitStep(g, observed, { count, active }) {
      const own = emitGradient(g);
      const known = observed.map(({ site, ...rest }) => ({ ...rest, site, memory: emitMemory(g, site) }));
      const guesses = known.flatMap(({ site, tangents, memory }) => {
        const guess = emitGuess(g, own, site, memory);
        return guess ? [{ name: foreseenName(site), guess, tangents }] : [];
      });
      const terms = guesses.map(({ guess, tangents }) => emitExampleProducts(g, tangents, guess));
      const none = g.constant(zeros("float32", [count, batch]));
      const product = terms.length > 0 ? terms.reduce((sum, term) => g.add(sum, term)) : none;
      const memories = rule.emitStep?.(g, own, {
        sites: known.map((site) => ({ ...site, tangents: firstRows(g, site.tangents, learned) })),
        signalTangents: g.input(directional, "float32", [learned, batch, outputs]),
        isShared,
        active,
        square: (sampler?.radius?.(found.dimension) ?? Math.sqrt(found.dimension)) ** 2 / found.dimension,
        steps: g.input(steps, "float32", []),
      });
      const after = observed.flatMap(({ site }, index) =>
        (rule.emitStep ? memoryOf(site) : []).map(([array, shape]) => {
          const value = memories?.[index]?.[array];
          requireShape(guess, `'${array}' of emitStep at '${site.value}'`, value, shape);
          return [nextName(site, array), value as Value] as const;
        }),
      );
      return {
        [productsName]: product,
        ...Object.fromEntries(guesses.map(({ name, guess }) => [name, guess])),
        ...Object.fromEntries(after),
      };
    },
    rows(first, count) {
      return first < learned ? { [directional]: rowsFrom(first, Math.min(count, learned)) } : {};
    },
    feeds,
    foreseen,
    memory: arrays,
    passes: (observe, isHeld) => ({
      gamma: guess.gamma,
      init,
      async foresee(given, state, into) {
        await observe({ ...given, ...feeds(state) }, results);
        into.set(products.data as Float32Array);
      },
      learn(state) {
        for (const { name, next } of isHeld ? [] : arrays)
          (state[name] as Float32Array).set(next.tensor.data as Float32Array);
        const count = state[steps] as Float32Array;
        count[0] = (count[0] as number) + 1;
      },
    }),
  };
}

function firstRows(g: GraphBuilder, rows: Value, most: number): Value {
  return (rows.shape[0] as number) <= most ? rows : g.slice(rows, [0], [most], [0]);
}

/** @throws SettingError for what a guess of the user's own emits in another shape than it must */
function requireShape(
  { name }: Guess,
  what: string,
  value: Value | undefined,
  shape: readonly number[],
): void {
  if (value && String(value.shape) === String(shape)) return;
  const received = value ? `has [${value.shape.join(", ")}]` : "is missing";
  throw new SettingError(
    words`${option("guess", name)}: ${what} must be a value of shape [${shape.join(", ")}], and ${received}.`,
    { option: "guess" },
  );
}

/** @throws SettingError */
async function ruleAtSites(guess: Guess) {
  if (!guess.sites) throw (await import("./guess-errors.ts")).noSites(guess);
  return guess.sites;
}

/** Numbers that a guess may remember, 1 GiB of them. */
const mostMemory = 2 ** 28;

/** @throws SettingError */
async function requireMemory(guess: Guess, numbers: number): Promise<void> {
  if (numbers > mostMemory) throw (await import("./guess-errors.ts")).tooLarge(guess, numbers, mostMemory);
}

/** @throws ModelError */
async function findSignal(
  objective: Differentiable,
  guess: Guess,
  found: FoundSites,
): Promise<{ readonly signal: string; readonly layout: ExampleLayout }> {
  if (found.signal) return { signal: found.signal.value, layout: found.signal.layout };
  const { output: logits } = objective;
  const [layout] = logits === undefined ? [] : await exampleLayouts(objective, [logits]);
  if (logits !== undefined && layout) return { signal: logits, layout };
  throw (await import("./guess-errors.ts")).noLogits(guess, logits);
}
