import { SettingError } from "../errors/errors.ts";
import { innerProduct } from "./pieces.ts";
import type { Pieces, Sampler, SamplerOptions } from "./sampler.ts";

/**
 * A first tangent uniform on the sphere of radius √n, and others of the same length at a fixed angle α to it (Flügel et
 * al., arXiv 2410.17764, section 4.3): v_i = cos α·v_1 + sin α·o_i with o_i uniform among the vectors of length √n
 * orthogonal to v_1. Each alone satisfies E[v vᵀ] = I; together they are dependent, with vᵢ·vⱼ = n cos²α on average.
 *
 * @param options.angle degrees, above 0 and at most 90
 * @throws for an angle outside this range; when drawn in one dimension, which has no such angles
 */
export function fixedAngle(options: SamplerOptions = {}): Sampler {
  const angle = options.angle ?? 45;
  if (!(angle > 0 && angle <= 90)) {
    throw new SettingError(
      `The angle of fixed-angle tangents must be above 0 and at most 90 degrees, received ${angle}.`,
      { option: "angle" },
    );
  }
  const [cosine, sine] = [cosineOfDegrees(angle), cosineOfDegrees(90 - angle)];
  return {
    name: "fixed-angle",
    fill: "normal",
    radius: Math.sqrt,
    exactGram: true,
    arrange([first = [], ...others]) {
      const square = innerProduct(first, first);
      for (const tangent of others) {
        const along = innerProduct(tangent, first) / square;
        mix(tangent, 1, first, -along);
        const rest = innerProduct(tangent, tangent);
        if (rest <= 1e-10 * square) {
          throw new SettingError(
            "Fixed-angle tangents need a space of at least 2 dimensions, because one dimension has no other " +
              "direction; use another sampler.",
            { option: "sampler" },
          );
        }
        const factor = sine * Math.sqrt(square / rest);
        mix(tangent, factor, first, cosine);
      }
    },
  };
}

/** Replaces a tangent by factor·tangent + weight·reference. */
function mix(tangent: Pieces, factor: number, reference: Pieces, weight: number): void {
  for (const [index, piece] of tangent.entries()) {
    const other = reference[index] as Float32Array;
    for (let place = 0; place < piece.length; place++)
      piece[place] = factor * (piece[place] as number) + weight * (other[place] as number);
  }
}

/** The cosine of 0 to 90 degrees by its Taylor series: Math.cos may differ in last bits between platforms. */
function cosineOfDegrees(degrees: number): number {
  const square = ((degrees * Math.PI) / 180) ** 2;
  let sum = 0;
  // Terms up to x³⁰/30!, far below rounding at π/2.
  for (let power = 30; power >= 2; power -= 2) sum = ((1 - sum) * square) / (power * (power - 1));
  return 1 - sum;
}
