/** What feedback's matrix is to become: the mean Jacobian of the logits at the sites; and how to see both. */
import { gradientGraph } from "../../ad/gradient.ts";
import { gradientName, guessName } from "../../ad/names.ts";
import { findSites } from "../../estimate/sites/graphs.ts";
import type { EstimatorState } from "../../estimate/state.ts";
import type { Objective } from "../../objective/objective.ts";
import { getValue } from "../../onnx/graph.ts";
import { float32 } from "../../onnx/tensor.ts";
import { GraphBuilder } from "../../ops/builder.ts";
import { compileGraph } from "../../runtime/evaluate.ts";
import type { BatchReader } from "../../train/batches/batch-reading.ts";

/** A matrix of a site, [O, n]: how its n numbers move the O logits. */
export interface SiteMatrix {
  /** The site's value. */
  readonly site: string;
  readonly data: Float32Array;
}

/** Measures mean Jacobians at an objective's parameters, as they are. */
export interface MeanJacobians {
  /**
   * Over some batches: at each site, the mean Jacobian of the logits. Where a ReLU cuts numbers off, each number's mean is over
   * the examples that it passes.
   */
  measure(first: number, batches: number): Promise<readonly SiteMatrix[]>;
  release(): Promise<void>;
}

/** What the feedback of a state holds for a site; the only place that knows how it is kept. */
export function learnedMatrix(state: EstimatorState, site: string): Float32Array | undefined {
  return state[matrixName(site)] as Float32Array | undefined;
}

/** A copy of a state that holds these matrices instead of what was learned. */
export function withMatrices(state: EstimatorState, matrices: readonly SiteMatrix[]): EstimatorState {
  return { ...state, ...Object.fromEntries(matrices.map(({ site, data }) => [matrixName(site), data])) };
}

const matrixName = (site: string) => guessName(`feedback/matrix/${site}`);

/**
 * A pass for each logit: the gradient of its sum over the batch is every example's own row of the Jacobian.
 *
 * @param reader its feeds are read anew for each batch
 */
export async function meanJacobians(
  objective: Objective,
  reader: Pick<BatchReader, "feeds" | "read">,
): Promise<MeanJacobians> {
  const { graph, batch, output, runtime } = objective;
  const { sites } = await findSites(objective, {});
  const outputs = getValue(graph, output).shape.at(-1) ?? 1;
  const [direction, along] = [guessName("direction"), guessName("along")];
  const g = new GraphBuilder(`${graph.name}/logit`, graph);
  const logit = g.matMul(getValue(graph, output), g.input(direction, "float32", [outputs, 1]));
  const values = sites.map(({ value }) => value);
  const session = await compileGraph(
    runtime,
    gradientGraph(g.build({ [along]: logit }), values, along, values),
  );
  return {
    async measure(first, batches) {
      const sums = sites.map(({ size }) => new Float64Array(outputs * size));
      const counts = sites.map(({ size }) => new Float64Array(size));
      for (let step = first; step < first + batches; step++) {
        await reader.read(step);
        for (let row = 0; row < outputs; row++) {
          const oneHot = Float32Array.from({ length: outputs }, (_, output) => Number(output === row));
          const results = await session.run({ ...reader.feeds, [direction]: float32(oneHot, [outputs, 1]) });
          for (const [position, { value, size, rectified }] of sites.entries()) {
            const numbers = results[value]?.data as Float32Array;
            const gradient = results[gradientName(value)]?.data as Float32Array;
            const [sum, count] = [sums[position] as Float64Array, counts[position] as Float64Array];
            for (let index = 0; index < batch * size; index++) {
              if (rectified && numbers[index] === 0) continue;
              const number = index % size;
              const at = row * size + number;
              sum[at] = (sum[at] as number) + (gradient[index] as number);
              if (row === 0) count[number] = (count[number] as number) + 1;
            }
          }
        }
      }
      return sites.map(({ value, size }, index) => ({
        site: value,
        data: Float32Array.from(sums[index] as Float64Array, (sum, at) => {
          const count = counts[index]?.[at % size] as number;
          return count === 0 ? 0 : sum / count;
        }),
      }));
    },
    release: () => session.release(),
  };
}

/** Cosine of the angle between two matrices; 0 where one of them is zero. */
export function matrixCosine(a: Float32Array, b: Float32Array): number {
  const product = (x: Float32Array, y: Float32Array) =>
    x.reduce((sum, value, index) => sum + value * (y[index] as number), 0);
  const length = Math.sqrt(product(a, a) * product(b, b));
  return length === 0 ? 0 : product(a, b) / length;
}

/** Side lengths that are shown; larger pictures are averaged in squares of 2×2. */
const largestSide = 20;

/** A picture of numbers, row by row. */
export interface Picture {
  readonly height: number;
  readonly width: number;
  readonly data: Float32Array;
}

/**
 * One row of a matrix at the first hidden layer as a picture: how a logit moves when a pixel moves by its standard deviation, if
 * every unit passes it on.
 *
 * @param row of the matrix, [n]
 * @param weights of the first layer, [n, pixels]
 * @param deviations of the pixels over examples, [pixels]
 */
export function throughWeights(
  row: Float32Array,
  weights: Float32Array,
  deviations: Float32Array,
): Float32Array {
  const pixels = deviations.length;
  return Float32Array.from(deviations, (deviation, pixel) => {
    let sum = 0;
    for (const [unit, value] of row.entries()) sum += value * (weights[unit * pixels + pixel] as number);
    return sum * deviation;
  });
}

/** Averages squares of 2×2 where a picture is too large to be looked at number by number. */
export function reduced(picture: Picture): Picture {
  const { height, width, data } = picture;
  if (Math.max(height, width) <= largestSide || height % 2 === 1 || width % 2 === 1) return picture;
  const at = (y: number, x: number) => data[y * width + x] as number;
  return {
    height: height / 2,
    width: width / 2,
    data: Float32Array.from({ length: data.length / 4 }, (_, pixel) => {
      const [y, x] = [2 * Math.floor((2 * pixel) / width), (2 * pixel) % width];
      return (at(y, x) + at(y, x + 1) + at(y + 1, x) + at(y + 1, x + 1)) / 4;
    }),
  };
}
