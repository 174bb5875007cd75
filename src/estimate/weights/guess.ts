/** A guess of the weights' gradient: what it remembers, how much of it is taken, and what a step teaches it. */
import { guessArrayName, guessName } from "../../ad/names.ts";
import { SettingError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import type { Guess, ParameterGuess, ParameterMemory } from "../../guess/guess.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { elementCount } from "../../onnx/tensor.ts";
import type { EstimatorOptions, GuessPasses, Method } from "../passes.ts";
import type { EstimatorState } from "../state.ts";

/** The array of an estimator's state with the running means Σ d·Vm and Σ (Vm)², of which the measured scale is made. */
const productsName = guessName("scale");

/** So much of each step's products enters their running means. */
const productsStep = 0.02;

/** What an estimator of weights is asked for. */
export interface WeightsOptions extends EstimatorOptions {
  /** What is foreseen of the gradient, for tangents to correct. Default: nothing. */
  readonly guess?: Guess;
}

/** Arrays by parameter. */
type ByParameter = Readonly<Record<string, Float32Array>>;

/** A guess for the parameters of an objective. */
export interface FoundParameterGuess {
  /** m of each parameter, before it is scaled. */
  guesses(state: EstimatorState): ByParameter;
  /** Adds the scaled m to V c, by parameter: ĝ. */
  add(state: EstimatorState, gradients: ByParameter): void;
  /**
   * @param gradients where each step's ĝ is, by parameter
   * @param along writes V m, [k], of arrays by parameter
   */
  passes(
    gradients: ByParameter,
    along: (guesses: ByParameter, into: Float64Array) => Promise<void> | void,
  ): GuessPasses;
}

/**
 * Finds out what the guess of an estimator is for the parameters.
 *
 * @returns undefined where nothing is guessed
 * @throws SettingError when the guess is none for weights; or later, when it is of another length than its parameter
 */
export function findParameterGuess(
  { parameters }: Pick<Differentiable, "parameters">,
  guess: Guess | undefined,
  { tangents: k, dimension }: Pick<Method, "tangents" | "dimension">,
): FoundParameterGuess | undefined {
  if (!guess || guess.name === "none") return undefined;
  const rule = ruleForWeights(guess);
  const found = Object.entries(parameters).map(([name, { shape }]) => {
    const size = elementCount(shape);
    const arrays = Object.entries(rule.memory(size)).map(([array, length]) => ({
      array,
      length,
      kept: guessArrayName(guess.name, array, name),
    }));
    return { name, size, arrays };
  });
  const memoryOf = ({ arrays }: (typeof found)[number], state: EstimatorState): ParameterMemory =>
    Object.fromEntries(arrays.map(({ array, kept }) => [array, state[kept] as Float32Array]));
  const scaleIn = (state: EstimatorState) => rule.scale ?? measuredScale(state[productsName] as Float64Array);
  const guesses = (state: EstimatorState): ByParameter =>
    Object.fromEntries(
      found.map((parameter) => {
        const values = rule.guess(memoryOf(parameter, state));
        if (values.length === parameter.size) return [parameter.name, values];
        throw new SettingError(
          words`${option("guess", guess.name)} foresees ${values.length} numbers of the parameter '${parameter.name}', which
            has ${parameter.size}; its 'guess' must return one for each.`,
          { option: "guess" },
        );
      }),
    );
  return {
    guesses,
    add(state, gradients) {
      const scale = scaleIn(state);
      for (const [name, values] of Object.entries(guesses(state))) {
        const gradient = gradients[name] as Float32Array;
        for (let index = 0; index < values.length; index++)
          gradient[index] = (gradient[index] as number) + scale * (values[index] as number);
      }
    },
    passes(gradients, along) {
      /** V m, before it is scaled */
      const products = new Float64Array(k);
      return {
        gamma: guess.gamma,
        init: () => ({
          [productsName]: new Float64Array(2),
          ...Object.fromEntries(
            found.flatMap(({ arrays }) => arrays.map(({ kept, length }) => [kept, new Float32Array(length)])),
          ),
        }),
        async foresee(_feeds, state, foreseen) {
          await along(guesses(state), products);
          const scale = scaleIn(state);
          for (const [tangent, product] of products.entries()) foreseen[tangent] = scale * product;
        },
        learn(state, derivatives) {
          addProducts(state[productsName] as Float64Array, derivatives, products);
          const measured = Math.min(1, k / dimension);
          for (const parameter of found)
            rule.learn(memoryOf(parameter, state), {
              estimate: gradients[parameter.name] as Float32Array,
              measured,
            });
        },
      };
    },
  };
}

/**
 * β = Σ d·Vm / Σ (Vm)²: as E[vvᵀ] = I, about ∇f·m/‖m‖², which leaves the least of ‖∇f − βm‖². A guess that points away from
 * the gradient is left out.
 */
function measuredScale([along = 0, square = 0]: Float64Array): number {
  return square > 0 ? Math.min(1, Math.max(0, along / square)) : 1;
}

function addProducts(means: Float64Array, derivatives: Float64Array, products: Float64Array): void {
  let [along, square] = [0, 0];
  for (const [tangent, product] of products.entries()) {
    along += (derivatives[tangent] as number) * product;
    square += product ** 2;
  }
  for (const [index, value] of [along, square].entries())
    means[index] = (means[index] as number) + productsStep * (value - (means[index] as number));
}

/** @throws SettingError */
function ruleForWeights(guess: Guess): ParameterGuess {
  if (guess.weights) return guess.weights;
  throw new SettingError(
    words`${option("guess", guess.name)} is no guess for ${option("perturb", "weights")}; choose
      ${option("guess", "momentum")}, or leave it out.`,
    { option: "guess" },
  );
}
