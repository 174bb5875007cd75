/** The method: read this file first. */
import { type Tensor, zeros } from "../onnx/tensor.ts";
import { correction } from "./correction.ts";
import type { Estimate, Estimator } from "./estimator.ts";
import type { ExampleTangents, Method, Passes } from "./passes.ts";

/**
 * The method, once for every kind of tangents: draw them, push them forward for the directional derivatives, take their
 * Gram matrix, solve for the coefficients, and combine (Flügel et al., arXiv 2410.17764, sections 3.1 and 3.2). Where a guess
 * foresees the gradient, tangents measure and correct its error.
 *
 * @throws when estimating, where a derivative or a Gram matrix is not finite
 */
export function forwardGradient(passes: Passes): Estimator {
  const { method, examples, guess } = passes;
  const k = method.tangents;
  const derivatives = new Float64Array(k * examples);
  const coefficients = zeros("float32", [k, examples]);
  const corrected = guess && correction(guess, derivatives);
  return {
    name: passes.name,
    dimension: method.dimension,
    // What corrects a guess is brought to ∇f itself.
    gain: guess ? 1 : method.gain,
    products: passes.products,
    held: passes.held,
    init: corrected?.init,
    async estimate(feeds, key, state = corrected?.init() ?? {}, before = 0): Promise<Estimate> {
      passes.draw(key, 0, k, before);
      const { loss, statistics } = await passes.derivatives(feeds, 0, k, derivatives);
      const errors = (await corrected?.errors(feeds, state)) ?? derivatives;
      const tangentsOf = method.aggregator.usesGram ? await passes.gram(feeds) : undefined;
      aggregate(method, errors, tangentsOf, coefficients, guess?.gamma);
      const gradients = await passes.combine(feeds, coefficients, state);
      const unforeseen = corrected?.learn(state);
      return { loss, derivatives, gradients, statistics, unforeseen };
    },
    release: () => passes.release(),
  };
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
  gain?: number,
): void {
  const { aggregator, dimension: n, exactGram } = method;
  const [k = 0, examples = 0] = coefficients.shape;
  const whole = aggregator.expectedGain(n, k);
  // An aggregator that reads no G gives another multiple where tangents have another length than √n.
  const wanted = gain === undefined ? whole : (gain * whole) / method.gain;
  // Relative error of a Gram matrix's entries.
  const gramPrecision = exactGram ? 2 ** -52 : 2 ** -23;
  const own = { derivatives: new Float64Array(k), coefficients: new Float64Array(k) };
  for (let example = 0; example < examples; example++) {
    for (let i = 0; i < k; i++) own.derivatives[i] = derivatives[i * examples + example] as number;
    const tangents = tangentsOf?.(example);
    // Without active numbers all derivatives are 0, and so is the estimate at any scale.
    const dimension = Math.max(1, tangents?.dimension ?? n);
    aggregator.aggregate(own.derivatives, tangents?.gram, own.coefficients, { dimension, gramPrecision });
    const scale = wanted / aggregator.expectedGain(dimension, k);
    for (let i = 0; i < k; i++)
      coefficients.data[i * examples + example] = scale * (own.coefficients[i] as number);
  }
}
