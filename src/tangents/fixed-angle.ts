/** Tangents at one angle to the first. */
import { SettingError } from "../errors/errors.ts";
import { named } from "../settings/named.ts";
import { type Given, number } from "../settings/option.ts";
import { innerProduct } from "./pieces.ts";
import type { Pieces, SamplerRule } from "./sampler.ts";

export const fixedAngleOptions = {
  /** Degrees between the first tangent and each of the others, above 0 and at most 90. */
  degrees: number(
    { above: 0, to: 90, unit: "degrees" },
    { help: "between the first tangent and the others", default: 45, flag: "angle", was: ["angle"] },
  ),
};

/** Options of `fixedAngle`. */
export type FixedAngleOptions = Given<typeof fixedAngleOptions>;

/**
 * A first tangent uniform on the sphere of radius √n, and others of the same length at a fixed angle α to it (Flügel et
 * al., arXiv 2410.17764, section 4.3): v_i = cos α·v_1 + sin α·o_i with o_i uniform among the vectors of length √n
 * orthogonal to v_1. Each alone satisfies E[v vᵀ] = I; together they are dependent, with vᵢ·vⱼ = n cos²α on average.
 *
 * @throws SettingError for an angle outside this range; when drawn in one dimension, which has no such angles
 */
export const fixedAngle = named("sampler", "fixed-angle", fixedAngleOptions, ({ degrees }): SamplerRule => {
  const [cosine, sine] = [cosineOfDegrees(degrees), cosineOfDegrees(90 - degrees)];
  return {
    fill: "normal",
    radius: Math.sqrt,
    exactGram: true,
    angle: degrees,
    arrange([first = [], ...others]) {
      const square = innerProduct(first, first);
      for (const tangent of others) {
        const along = innerProduct(tangent, first) / square;
        mix(tangent, 1, first, -along);
        const rest = innerProduct(tangent, tangent);
        if (rest <= 1e-10 * square) {
          throw new SettingError(
            "Fixed-angle tangents need at least 2 dimensions, because one has no other direction; use another sampler.",
            { option: "sampler" },
          );
        }
        const factor = sine * Math.sqrt(square / rest);
        mix(tangent, factor, first, cosine);
      }
    },
  };
});

/** Replaces a tangent by factor·tangent + weight·reference. */
function mix(tangent: Pieces, factor: number, reference: Pieces, weight: number): void {
  for (const [index, piece] of tangent.entries()) {
    const other = reference[index] as Float32Array;
    for (let position = 0; position < piece.length; position++)
      piece[position] = factor * (piece[position] as number) + weight * (other[position] as number);
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
