/** A guess at sites: where its logits lie, what it remembers, and the graph in which a step corrects and teaches it. */
import { emitGradientAt } from "../../ad/gradient.ts";
import { guessName, reserved } from "../../ad/names.ts";
import { ModelError, SettingError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import type { SiteGuess, SiteMemory, SiteObservation } from "../../guess/guess.ts";
import { type ExampleLayout, exampleLayouts } from "../../objective/coupling.ts";
import type { Differentiable } from "../../objective/objective.ts";
import type { Value } from "../../onnx/graph.ts";
import { elementCount, type Tensor, zeros } from "../../onnx/tensor.ts";
import type { GraphBuilder } from "../../ops/builder.ts";
import { reshape, transpose } from "../../ops/rules.ts";
import type { Tensors } from "../../runtime/runtime.ts";
import type { SiteTangents } from "../../tangents/site-tangents.ts";
import type { EstimatorOptions, GuessPasses } from "../passes.ts";
import type { EstimatorState } from "../state.ts";

/** A site, and the numbers of one example there. */
type GuessedSite = Pick<SiteTangents["sites"][number], "value" | "size">;

/** A guess for the sites of an objective. */
export interface FoundGuess {
  readonly name: string;
  readonly gamma: number;
  readonly guess: SiteGuess;
  /** The value that the loss reads, and where its examples lie. */
  readonly logits: { readonly value: string; readonly layout: ExampleLayout; readonly size: number };
}

/** Name of the output with Y = V Jᵀ, [k, batch, O]. */
export const logitTangents = guessName("tangents of logits");

/** Name of the value with each example's ∂ℓ_b/∂logits, [batch, O]. */
export const logitGradient = guessName("gradient of logits");

/** Name of the output with V m, [k, batch]. */
export const foreseenName = guessName("foreseen");

/**
 * @returns undefined where nothing is guessed
 * @throws SettingError when the guess is none for sites, or derivatives are simulated; ModelError when the objective has no
 * logits, or its examples have none of their own
 */
export async function findGuess(
  objective: Differentiable,
  { guess, simulated }: Pick<EstimatorOptions, "guess" | "simulated">,
): Promise<FoundGuess | undefined> {
  if (!guess || guess.name === "none") return undefined;
  const { sites } = guess;
  const chosen = option("guess", guess.name);
  if (!sites)
    throw new SettingError(words`${chosen} is no guess for activations and blocks; leave it out.`, {
      option: "guess",
    });
  if (simulated)
    throw new SettingError(
      words`${chosen} learns from the logits' derivatives, which ${option("gradient", "simulated")} does not compute; leave
        one of them out.`,
      { option: "guess" },
    );
  const { output } = objective;
  const [layout] = output === undefined ? [] : await exampleLayouts(objective, [output]);
  if (output === undefined || !layout)
    throw new ModelError(
      words`${chosen} needs logits that belong to single examples, and ${
        output === undefined ? "a closed-form function has none" : `the values of '${output}' mix them`
      }; leave it out.`,
    );
  return {
    name: guess.name,
    gamma: guess.gamma,
    guess: sites,
    logits: { value: output, layout, size: layout.outer * layout.inner },
  };
}

/** [count, ...] of a value that holds a batch → [count, batch, numbers of one example] */
export function byExample(
  g: GraphBuilder,
  value: Value,
  { outer, inner }: ExampleLayout,
  batch: number,
): Value {
  const [count = 1] = value.shape;
  const apart = transpose(g, reshape(g, value, [count, outer, batch, inner]), [0, 2, 1, 3]);
  return reshape(g, apart, [count, batch, outer * inner]);
}

/** Emits δ, [batch, O], in a graph that starts with the objective's. */
function emitLogitGradient(
  g: GraphBuilder,
  { graph, batch }: Pick<Differentiable, "graph" | "batch">,
  { logits }: FoundGuess,
): Value {
  const gradient = emitGradientAt(g, graph, logits.value, reserved.losses);
  return reshape(g, byExample(g, gradient, logits.layout, batch), [batch, logits.size]);
}

/** The inputs that a site's memory is fed through. */
export function memoryInputs(g: GraphBuilder, found: FoundGuess, site: GuessedSite): SiteMemory {
  return Object.fromEntries(
    Object.entries(found.guess.memory(site.size, found.logits.size)).map(([name, shape]) => [
      name,
      g.input(memoryName(found, site, name), "float32", shape),
    ]),
  );
}

/**
 * Emits what a step shows a guess, in a graph that starts with the objective's: the outputs `foreseen` [k, batch], ∂ℓ_b/∂logits,
 * and what the guess remembers after the step.
 *
 * @param active how many numbers of each example are perturbed, [batch], or one number for all
 */
export function emitGuessStep(
  g: GraphBuilder,
  objective: Pick<Differentiable, "graph" | "batch">,
  found: FoundGuess,
  sites: readonly (Omit<SiteObservation, "memory"> & { readonly site: GuessedSite })[],
  { count, active }: { readonly count: number; readonly active: Value },
): Record<string, Value> {
  const { guess, logits } = found;
  const delta = emitLogitGradient(g, objective, found);
  const { foreseen, memories } = guess.emitStep(g, delta, {
    sites: sites.map(({ site, tangents, active: examples }) => ({
      tangents,
      active: examples,
      memory: memoryInputs(g, found, site),
    })),
    logitTangents: g.input(logitTangents, "float32", [count, objective.batch, logits.size]),
    dimension: active.shape.length === 0 ? active : g.reduceMean(active, [0], { keepdims: 0 }),
    steps: g.input(stepsName(found), "float32", []),
  });
  const remembered = sites.flatMap(({ site }, index) =>
    Object.entries(memories[index] ?? {}).map(
      ([name, value]) => [nextName(memoryName(found, site, name)), value] as const,
    ),
  );
  return { [foreseenName]: foreseen, [logitGradient]: delta, ...Object.fromEntries(remembered) };
}

/** What a guess remembers, and the buffers that a step writes: for k tangents of a batch. */
export interface GuessMemory {
  readonly gamma: number;
  init(): EstimatorState;
  /** Graph inputs: the state, Y, and ∂ℓ_b/∂logits. */
  feeds(state?: EstimatorState): Tensors;
  /** The output Y for tangents first … first + count − 1. */
  logitTangents(first: number, count: number): Tensors;
  /** Tensors for the outputs of the graph that foresees and teaches. */
  readonly results: Tensors;
  /** V m, as the graph wrote it, [k, batch]. */
  readonly foreseen: Float32Array;
  /** Takes over what the step taught. */
  learn(state: EstimatorState): void;
}

export function guessMemory(
  found: FoundGuess,
  { batch }: Pick<Differentiable, "batch">,
  sites: readonly GuessedSite[],
  k: number,
): GuessMemory {
  const { guess, logits } = found;
  const shapes = new Map<string, readonly number[]>(
    sites.flatMap((site) =>
      Object.entries(guess.memory(site.size, logits.size)).map(
        ([name, shape]) => [memoryName(found, site, name), shape] as const,
      ),
    ),
  );
  const steps = stepsName(found);
  const next = [...shapes].map(([name, shape]) => [nextName(name), zeros("float32", shape)] as const);
  const gradient = zeros("float32", [batch, logits.size]);
  const directional = zeros("float32", [k, batch, logits.size]);
  const foreseen = zeros("float32", [k, batch]);
  const init = () => ({
    [steps]: new Float32Array(1),
    ...Object.fromEntries([...shapes].map(([name, shape]) => [name, new Float32Array(elementCount(shape))])),
  });
  return {
    gamma: found.gamma,
    init,
    feeds: (state = init()) => ({
      [logitTangents]: directional,
      [logitGradient]: gradient,
      [steps]: tensorOfState(state, steps, []),
      ...Object.fromEntries([...shapes].map(([name, shape]) => [name, tensorOfState(state, name, shape)])),
    }),
    logitTangents(first, count) {
      const each = batch * logits.size;
      const data = (directional.data as Float32Array).subarray(first * each, (first + count) * each);
      return { [logitTangents]: { dtype: "float32", shape: [count, batch, logits.size], data } };
    },
    foreseen: foreseen.data as Float32Array,
    results: { [foreseenName]: foreseen, [logitGradient]: gradient, ...Object.fromEntries(next) },
    learn(state) {
      for (const [index, name] of [...shapes.keys()].entries())
        (state[name] as Float32Array).set(next[index]?.[1].data as Float32Array);
      const count = state[steps] as Float32Array;
      count[0] = (count[0] as number) + 1;
    },
  };
}

/** @param observe runs the graph that foresees and teaches */
export function guessPasses(
  memory: GuessMemory,
  observe: (feeds: Tensors, results: Tensors) => Promise<void>,
): GuessPasses {
  return {
    gamma: memory.gamma,
    init: () => memory.init(),
    async foresee(feeds, state, foreseen) {
      await observe({ ...feeds, ...memory.feeds(state) }, memory.results);
      foreseen.set(memory.foreseen);
    },
    learn: (state) => memory.learn(state),
  };
}

function tensorOfState(state: EstimatorState, name: string, shape: readonly number[]): Tensor {
  return { dtype: "float32", shape, data: state[name] as Float32Array };
}

const stepsName = ({ name }: FoundGuess) => guessName(`${name}/steps`);

const memoryName = (found: FoundGuess, { value }: GuessedSite, name: string) =>
  guessName(`${found.name}/${name}/${value}`);

/** The output with what `name` is after the step. */
const nextName = (name: string) => `next ${name}`;
