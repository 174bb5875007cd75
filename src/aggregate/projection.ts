import { choleskyWorkspace, solveSymmetricSemidefinite } from "../linalg/cholesky.ts";
import { type Aggregator, requireSameLength } from "./aggregator.ts";

/**
 * c = G⁺ d: ĝ = V c is the orthogonal projection of the gradient on the span of the tangents, the point of the span
 * nearest to it (Flügel et al., arXiv 2410.17764). Repeated or dependent tangents, also k > n, are fine.
 *
 * @param options.relativeTolerance what part of max Gᵢᵢ counts as zero; default: k times the precision of G
 */
export function projection(options: { readonly relativeTolerance?: number } = {}): Aggregator {
  // Kept between calls of the same k, which come once per example.
  let workspace = choleskyWorkspace(0);
  return {
    name: "projection",
    usesGram: true,
    aggregate(derivatives, gram, coefficients, gramPrecision = 2 ** -52) {
      requireSameLength("projection", derivatives, coefficients);
      if (!gram) {
        throw new Error(
          "The aggregator 'projection' solves G c = d and received no Gram matrix G; compute it from the tangents, " +
            "or choose an aggregator whose usesGram is false.",
        );
      }
      if (workspace.size !== derivatives.length) workspace = choleskyWorkspace(derivatives.length);
      const tolerance = options.relativeTolerance ?? derivatives.length * gramPrecision;
      solveSymmetricSemidefinite(gram, derivatives, coefficients, workspace, tolerance);
    },
  };
}
