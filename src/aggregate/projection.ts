/** Orthogonal projection of the gradient on the span of the tangents. */
import { choleskyWorkspace, solveSymmetricSemidefinite } from "../linalg/cholesky.ts";
import { named } from "../settings/named.ts";
import { choice, type Given, number, toggle } from "../settings/option.ts";
import { type AggregatorRule, requireDimension, requireGram, requireSameLength } from "./aggregator.ts";
import { expectedProjectionCosine } from "./expected-cosine.ts";

export const projectionOptions = {
  /** Which of k > n tangents are used. */
  select: choice(["all", "first-n"], {
    help: "which of more tangents than dimensions are used",
    default: "all",
  }),
  /** Divides by the expected cosine, so that ĝ has the exact gradient's expected length. */
  expectedLength: toggle({ help: "projections as long as the exact gradient, on average" }),
  /** What part of max Gᵢᵢ counts as zero. Default: k times the precision of G. */
  relativeTolerance: number(
    { from: 0 },
    { help: "part of the longest tangent's square that counts as zero", otherwise: "k times the precision" },
  ),
};

/** Options of `projection`. */
export type ProjectionOptions = Given<typeof projectionOptions>;

/**
 * c = G⁺ d: ĝ = V c is the orthogonal projection of the gradient on the span of the tangents, the point of the span
 * nearest to it (Flügel et al., arXiv 2410.17764). Repeated or dependent tangents, also k > n, are fine.
 *
 * `select: "first-n"` keeps the first n of k > n tangents and gives 0 to the others, as the paper's code does; it differs
 * from the default where those n are dependent. `expectedLength` divides by the expected cosine E[cos] of a gradient and
 * its projection on as many isotropic tangents as are independent here: a projection's length is cos·‖∇f‖, so then
 * E‖ĝ‖ = ‖∇f‖.
 *
 * @throws when coefficients are asked for without a Gram matrix, or without the dimension that `first-n` or `expectedLength` needs
 */
export const projection = named("aggregate", "projection", projectionOptions, (options): AggregatorRule => {
  // Kept between calls of the same k, which come once per example.
  let workspace = choleskyWorkspace(0);
  let first = { gram: new Float64Array(0), coefficients: new Float64Array(0) };
  return {
    usesGram: true,
    expectedGain: (n, k) =>
      Math.min(1, k / n) / (options.expectedLength ? expectedProjectionCosine(n, k) : 1),
    aggregate(derivatives, given, coefficients, context) {
      requireSameLength("projection", derivatives, coefficients);
      const gram = requireGram("projection", "solves G c = d", given);
      const count = derivatives.length;
      const used =
        options.select === "first-n" ? Math.min(count, requireDimension("projection", context)) : count;
      if (workspace.size !== used) {
        workspace = choleskyWorkspace(used);
        first = { gram: new Float64Array(used * used), coefficients: new Float64Array(used) };
      }
      const tolerance = options.relativeTolerance ?? used * (context?.gramPrecision ?? 2 ** -52);
      let rank: number;
      if (used === count) {
        rank = solveSymmetricSemidefinite(gram, derivatives, coefficients, workspace, tolerance);
      } else {
        for (let i = 0; i < used; i++) first.gram.set(gram.subarray(i * count, i * count + used), i * used);
        const right = derivatives.subarray(0, used);
        rank = solveSymmetricSemidefinite(first.gram, right, first.coefficients, workspace, tolerance);
        coefficients.fill(0);
        coefficients.set(first.coefficients);
      }
      if (options.expectedLength && rank > 0) {
        const cosine = expectedProjectionCosine(requireDimension("projection", context), rank);
        for (let i = 0; i < count; i++) coefficients[i] = (coefficients[i] as number) / cosine;
      }
    },
  };
});
