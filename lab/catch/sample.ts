/** One measurement of how much of a direction k random ones catch: numbers, no formula. */
import { aggregators, fold, keyFromSeed } from "forwardgrad";
import { threefry2x32 } from "forwardgrad/autodiff";

const projection = aggregators.projection();

/** Normal numbers, two at once, by Box and Muller's formula. */
function normals(seed: number, draw: number, count: number): Float64Array {
  const key = fold(keyFromSeed(seed), draw);
  const numbers = new Float64Array(count + 1);
  for (let index = 0; index < count; index += 2) {
    const [first, second] = threefry2x32(key, index, 0);
    const radius = Math.sqrt(-2 * Math.log((first + 0.5) / 2 ** 32));
    const turn = (2 * Math.PI * second) / 2 ** 32;
    numbers[index] = radius * Math.cos(turn);
    numbers[index + 1] = radius * Math.sin(turn);
  }
  return numbers;
}

/**
 * The cosine between a direction of n numbers and its projection on the span of k tangents: |∇f̂|/|∇f|, with |∇f̂|² = c·d. The
 * direction is the first axis, which random directions cannot tell from any other.
 */
export function sampleCosine(n: number, k: number, seed: number, draw: number): number {
  const tangents = normals(seed, draw, n * k);
  const gram = new Float64Array(k * k);
  for (let i = 0; i < k; i++)
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let index = 0; index < n; index++)
        sum += (tangents[i * n + index] as number) * (tangents[j * n + index] as number);
      gram[i * k + j] = gram[j * k + i] = sum;
    }
  const derivatives = Float64Array.from({ length: k }, (_, i) => tangents[i * n] as number);
  const coefficients = new Float64Array(k);
  projection.aggregate(derivatives, gram, coefficients, { dimension: n });
  return Math.sqrt(
    derivatives.reduce((sum, derivative, i) => sum + derivative * (coefficients[i] as number), 0),
  );
}
