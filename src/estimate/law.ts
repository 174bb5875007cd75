/** The law of forward gradients: what is drawn in the place of tangents where the gradient is known. */
import { SettingError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import type { Guess } from "../guess/guess.ts";
import { chiSquares } from "../random/chi-square.ts";
import { fillNormal } from "../random/normal.ts";
import { frameStreams } from "../random/streams.ts";
import { fold, type Key } from "../random/threefry.ts";
import { gaussian } from "../tangents/gaussian.ts";
import { innerProduct } from "../tangents/pieces.ts";
import type { Pieces, Sampler } from "../tangents/sampler.ts";
import { type EstimatorOptions, type Method, methodIn, requireMemory } from "./passes.ts";

/**
 * k tangents in a frame of n orthonormal directions, of which the first is the gradient's own, g/‖g‖, and the others are uniform in
 * its complement: V = T F. Of normal tangents V = [a, N] in such a frame, a is normal, and N is L Q with uniform rows of Q that are
 * independent of L (Bartlett's decomposition): L is triangular, its diagonal √χ² of n − 1, n − 2, … degrees of freedom, and
 * the numbers below are normal. So T = [a, L] is [k, min(k + 1, n)] whatever n is, and all that an aggregator may see follows
 * from it: d = ‖g‖ a and G = T Tᵀ.
 */
export interface FramedTangents {
  /** k */
  readonly count: number;
  /** Numbers of a row, min(k + 1, n). */
  readonly width: number;
  /** T, [k, width] */
  readonly rows: Float64Array;
}

/** A combination of tangents: ĝ = V c is `along` g/‖g‖, and `across` in a uniform direction of its complement. */
export interface Combination {
  /** Σ c_i T_i1 */
  readonly along: number;
  /** ‖Lᵀ c‖ */
  readonly across: number;
}

/**
 * What is decided for estimates that are drawn by their law. Tangents are Gaussian unless others are chosen.
 *
 * @throws SettingError where the law of the estimate is not known, or does not spare its tangents
 */
export function methodByLaw(
  dimension: number,
  options: EstimatorOptions & { readonly guess?: Guess; readonly shareTangents?: boolean },
): Method {
  const { sampler = gaussian(), guess, shareTangents } = options;
  const law = option("gradient", "law");
  const known = words`Known is the law of independent tangents of normal numbers, gaussian or sphere, without a guess, with any
    aggregator; at sites, of tangents of each example's own. ${option("gradient", "simulated")} draws any tangents.`;
  if (!isTurned(sampler))
    throw new SettingError(
      words`${law} knows no law of estimates from tangents of the sampler '${sampler.name}'. ${known}`,
      { option: "sampler" },
    );
  if (guess && guess.name !== "none")
    throw new SettingError(
      words`${law} knows no law of estimates that correct ${option("guess", guess.name)}, which learns from tangents. ${known}`,
      { option: "guess" },
    );
  if (shareTangents)
    throw new SettingError(
      words`${law} draws each example's estimate apart, and with ${option("perturb.shareTangents", true)} they depend on each other through
        all tangents, which are few numbers then. ${known}`,
      { option: "perturb.shareTangents" },
    );
  // T stands for the tangents.
  const method = { ...methodIn(dimension, { ...options, sampler }), exactGram: true };
  requireMemory(method, [2 * (method.tangents + 1)]);
  return method;
}

/** Whether tangents in any other orthonormal frame are distributed as in this one, independently of each other. */
function isTurned({ fill, rank, arrange }: Sampler): boolean {
  return fill === "normal" && rank === undefined && arrange === undefined;
}

/** The space of one set of tangents: an example's numbers at all sites, or all parameters. */
export interface Space {
  /** n: the numbers that carry a gradient. */
  readonly dimension: number;
  /** Numbers of a tangent beside these, which count for its length only. Default 0. */
  readonly cut?: number;
}

/** Draws T of k tangents in each space, independently. */
export function drawFramed(
  { tangents: count, sampler: { radius } }: Pick<Method, "tangents" | "sampler">,
  key: Key,
  spaces: readonly Space[],
): readonly FramedTangents[] {
  const most = count * (count + 1);
  const normals = new Float32Array(spaces.length * most);
  fillNormal(fold(key, frameStreams.normals), 0, normals);
  const degrees = spaces.map(({ dimension }) =>
    Array.from({ length: Math.min(count, dimension - 1) }, (_, row) => dimension - 1 - row),
  );
  const diagonals = chiSquares(fold(key, frameStreams.diagonals), degrees.flat());
  const cuts = spaces.flatMap(({ cut = 0 }) => new Array<number>(count).fill(cut));
  const beyond = radius ? chiSquares(fold(key, frameStreams.cuts), cuts) : undefined;
  let used = 0;
  return spaces.map(({ dimension, cut = 0 }, index) => {
    const width = Math.min(count + 1, dimension);
    const rows = new Float64Array(count * width);
    for (let row = 0; row < count; row++) {
      const own = rows.subarray(row * width, (row + 1) * width);
      // a, and the numbers of L below its diagonal
      const first = index * most + row * width;
      own.set(normals.subarray(first, first + Math.min(row + 1, width)));
      if (row + 1 < width) own[row + 1] = Math.sqrt(diagonals[used++] as number);
      if (radius) giveLength(own, beyond?.[index * count + row] ?? 0, radius(dimension + cut));
    }
    return { count, width, rows };
  });
}

/** Gives a row its length, of which a part lies beyond: the sum of these squares before. */
function giveLength(row: Float64Array, beyond: number, length: number): void {
  let square = beyond;
  for (const value of row) square += value ** 2;
  const factor = length / Math.sqrt(square);
  for (let index = 0; index < row.length; index++) row[index] = (row[index] as number) * factor;
}

/** G = T Tᵀ, [k, k] */
export function framedGram({ count, width, rows }: FramedTangents): Float64Array {
  const gram = new Float64Array(count * count);
  for (let i = 0; i < count; i++)
    for (let j = 0; j <= i; j++) {
      // Beyond its diagonal, row j is 0.
      const end = Math.min(j + 2, width);
      let product = 0;
      for (let index = 0; index < end; index++)
        product += (rows[i * width + index] as number) * (rows[j * width + index] as number);
      gram[i * count + j] = product;
      gram[j * count + i] = product;
    }
  return gram;
}

/** @param coefficients c, [k] */
export function combineFramed(
  { count, width, rows }: FramedTangents,
  coefficients: ArrayLike<number>,
): Combination {
  let [along, square] = [0, 0];
  for (let index = 0; index < width; index++) {
    let sum = 0;
    for (let i = Math.max(0, index - 1); i < count; i++)
      sum += (coefficients[i] as number) * (rows[i * width + index] as number);
    if (index === 0) along = sum;
    else square += sum ** 2;
  }
  return { along, across: Math.sqrt(square) };
}

/**
 * Writes an estimate: `along` g/‖g‖, and `across` in the direction of what is left of w in g's complement, which is uniform for a
 * normal w. A gradient of 0 has the estimate 0.
 *
 * @param gradient g, which may be where the estimate goes
 * @param direction w, of as many numbers
 */
export function writeEstimate(
  gradient: Pieces,
  direction: Pieces,
  { along, across }: Combination,
  estimate: Pieces,
): void {
  const square = innerProduct(gradient, gradient);
  const overlap = square > 0 ? innerProduct(gradient, direction) / square : 0;
  const left = Math.sqrt(Math.max(0, innerProduct(direction, direction) - overlap ** 2 * square));
  const ofDirection = square > 0 && left > 0 ? across / left : 0;
  const ofGradient = square > 0 ? along / Math.sqrt(square) - ofDirection * overlap : 0;
  for (const [index, out] of estimate.entries()) {
    const [g, w] = [gradient[index] as Float32Array, direction[index] as Float32Array];
    for (let position = 0; position < out.length; position++)
      out[position] = ofGradient * (g[position] as number) + ofDirection * (w[position] as number);
  }
}
