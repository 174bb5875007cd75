/** How long a vector is whose numbers lie in several arrays. */

/** √Σx² over all numbers. By index: V8 takes five times as long over `for … of`. */
export function lengthOf(arrays: Readonly<Record<string, Float32Array>>): number {
  let square = 0;
  for (const values of Object.values(arrays))
    for (let index = 0; index < values.length; index++) square += (values[index] as number) ** 2;
  return Math.sqrt(square);
}
