/** The method: read this file first. */
import { type Tensor, zeros } from "../onnx/tensor.ts";
import type { Estimate, Estimator } from "./estimator.ts";
import type { ExampleTangents, Method, Passes } from "./passes.ts";
import type { EstimatorState } from "./state.ts";

/**
 * The method, once for every kind of tangents: draw them, push them forward for the directional derivatives, take their
 * Gram matrix, solve for the coefficients, and combine (Flügel et al., arXiv 2410.17764, sections 3.1 and 3.2).
 *
 * @throws when estimating, where a derivative or a Gram matrix is not finite
 */
export function forwardGradient(passes: Passes): Estimator {
  const { method, examples, guess } = passes;
  const k = method.tangents;
  const derivatives = new Float64Array(k * examples);
  const errors = guess ? new Float64Array(k * examples) : derivatives;
  const coefficients = zeros("float32", [k, examples]);
  const init = guess && (() => ({ ...guess.init(), [unforeseenShare]: Float64Array.of(1) }));
  const start = init?.() ?? {};
  return {
    name: passes.name,
    dimension: method.dimension,
    init,
    async estimate(feeds, key, state = start): Promise<Estimate> {
      passes.draw(key, 0, k);
      const { loss, statistics } = await passes.derivatives(feeds, 0, k, derivatives);
      if (guess) {
        await guess.foresee(feeds, state, errors);
        // d − V m
        for (const [index, d] of derivatives.entries()) errors[index] = d - (errors[index] as number);
      }
      const tangentsOf = method.aggregator.usesGram ? await passes.gram(feeds) : undefined;
      aggregate(method, errors, tangentsOf, coefficients, guess?.gamma);
      const gradients = await passes.combine(feeds, coefficients, state);
      if (!guess) return { loss, derivatives, gradients, statistics };
      // Of the steps before: what depends on it must not know this step's tangents.
      const unforeseen = state[unforeseenShare]?.[0];
      guess.learn(state);
      watchShare(state, derivatives, errors);
      return { loss, derivatives, gradients, statistics, unforeseen };
    },
    release: () => passes.release(),
  };
}

/** The array of an estimator's state with the share of the gradient that its guess does not foresee. */
const unforeseenShare = "guess/unforeseen";

/** So much of each step's share enters the running mean. */
const shareStep = 0.1;

/** Follows ‖∇f − m‖² / ‖∇f‖², of which Σ (d − V m)² / Σ d² is an estimate that costs nothing. */
function watchShare(state: EstimatorState, derivatives: Float64Array, errors: Float64Array): void {
  const square = (values: Float64Array) => values.reduce((total, value) => total + value * value, 0);
  const share = state[unforeseenShare];
  const whole = square(derivatives);
  if (!share || whole === 0) return;
  const before = share[0] as number;
  share[0] = before + shareStep * (square(errors) / whole - before);
}

/**
 * The coefficients c = a(d, G), for each example its own.
 *
 * A projection on k tangents keeps about k/m of a gradient in m dimensions, and m is an example's own where a ReLU leaves
 * some of n numbers. Its coefficients are brought to the gain of n dimensions, so that examples weigh the same, and
 * as much as what is known exactly: E ĝ is one multiple of ∇f.
 *
 * @param derivatives d of each example's own loss, [k, examples]
 * @param tangentsOf asked for in the order of the examples; undefined where the aggregator reads no G
 * @param coefficients written, [k, examples]
 * @throws when d or G is not finite, or lengths disagree
 * @param gain what E ĝ is to be a multiple of ∇f by. Default: the aggregator's own gain in n dimensions
 */
export function aggregate(
  method: Method,
  derivatives: Float64Array,
  tangentsOf: ((example: number) => ExampleTangents) | undefined,
  coefficients: Tensor,
  gain = method.aggregator.expectedGain(method.dimension, method.tangents),
): void {
  const { aggregator, dimension: n, exactGram } = method;
  const [k = 0, examples = 0] = coefficients.shape;
  // Relative error of a Gram matrix's entries.
  const gramPrecision = exactGram ? 2 ** -52 : 2 ** -23;
  const own = { derivatives: new Float64Array(k), coefficients: new Float64Array(k) };
  for (let example = 0; example < examples; example++) {
    for (let i = 0; i < k; i++) own.derivatives[i] = derivatives[i * examples + example] as number;
    const tangents = tangentsOf?.(example);
    // Without active numbers all derivatives are 0, and so is the estimate at any scale.
    const dimension = Math.max(1, tangents?.dimension ?? n);
    aggregator.aggregate(own.derivatives, tangents?.gram, own.coefficients, { dimension, gramPrecision });
    const scale = gain / aggregator.expectedGain(dimension, k);
    for (let i = 0; i < k; i++)
      coefficients.data[i * examples + example] = scale * (own.coefficients[i] as number);
  }
}
