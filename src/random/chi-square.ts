/** Sums of squares of many normal numbers, without drawing all of them. */
import { fillNormal } from "./normal.ts";
import { fold, type Key } from "./threefry.ts";
import { fillUniform } from "./uniform.ts";

/**
 * One χ² number for each number of degrees of freedom: distributed as the sum of the squares of so many independent standard
 * normal numbers, at the same cost however many these are. A pure function of the key.
 *
 * @param degrees whole numbers from 0, [m]
 * @returns [m]
 * @source Marsaglia & Tsang, "A simple method for generating gamma variables", ACM Trans. Math. Software 26, 2000: χ² of ν
 * degrees is twice a gamma number of shape ν/2
 */
export function chiSquares(key: Key, degrees: readonly number[]): Float64Array {
  // At most one candidate of twenty is refused.
  const length = 8 + Math.ceil(1.2 * degrees.length);
  const normals = new Float32Array(length);
  const uniforms = new Float32Array(length);
  let drawn = 0;
  const next = () => {
    const position = drawn % length;
    if (position === 0) {
      fillNormal(fold(key, 0), drawn, normals);
      fillUniform(fold(key, 1), drawn, uniforms);
    }
    drawn++;
    return [normals[position] as number, uniforms[position] as number] as const;
  };
  return Float64Array.from(degrees, (count) => {
    if (count < 2) return count * next()[0] ** 2;
    const shift = count / 2 - 1 / 3;
    for (;;) {
      const [normal, uniform] = next();
      const cube = (1 + normal / Math.sqrt(9 * shift)) ** 3;
      if (cube > 0 && Math.log(uniform) < normal ** 2 / 2 + shift * (1 - cube + Math.log(cube)))
        return 2 * shift * cube;
    }
  });
}
