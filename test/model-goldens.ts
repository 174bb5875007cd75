import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { type ModelName, models } from "../src/models/models.ts";
import type { ModelOptions } from "../src/models/network.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import type { Objective } from "../src/objective/objective.ts";
import type { Graph } from "../src/onnx/graph.ts";
import { elementCount, float32, int64, type Tensor } from "../src/onnx/tensor.ts";
import type { Runtime } from "../src/runtime/runtime.ts";

/** What test/goldens/models.py writes for each model. */
export interface ModelGolden {
  readonly name: string;
  readonly model: ModelName;
  readonly input: number[];
  readonly outputs: number;
  readonly options: Readonly<Record<string, unknown>>;
  readonly batch: number;
  readonly seed: number;
  readonly k: number;
  readonly parameters: string[];
  readonly trained: number;
  readonly count: number;
  readonly sum: number;
  readonly squares: number;
  readonly labels: number[];
  readonly loss: number;
  readonly losses: number[];
  readonly logits: number[];
  readonly weightDerivatives: number[];
  readonly gradientNorms: number[];
}

export interface SmallModelGolden extends ModelGolden {
  readonly sites: { readonly parameters: string[]; readonly shape: number[] }[];
  readonly activationDerivatives: number[];
  /** float32 numbers in base64, one parameter after the other. */
  readonly gradient: string;
}

const [parameterStreams, weightTangents, siteTangents, inputs] = [0, 1, 2, 3].map(
  (part) => part * 2 ** 16,
) as [number, number, number, number];

/** Number i of a stream is center + spread · u(i), u in [-1, 1): the formula of test/goldens/models.py. */
function numbers(stream: number, shape: readonly number[], center: number, spread: number): Tensor {
  const start = (stream * 2654435769) % 2 ** 32;
  const data = new Float32Array(elementCount(shape));
  for (let place = 0; place < data.length; place++) {
    let h = (place + start) | 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h ^= h >>> 16;
    data[place] = center + spread * ((h >>> 8) * 2 ** -23 - 1);
  }
  return float32(data, shape);
}

function firstValue(name: string, shape: readonly number[]): [center: number, spread: number] {
  if (name.endsWith("running_var")) return [1, 0.5];
  if (name.endsWith("running_mean") || name.endsWith("bias") || shape.length === 3) return [0, 0.3];
  return shape.length === 1 ? [1, 0.3] : [0, Math.sqrt(3 / elementCount(shape.slice(1)))];
}

function tangents(stream: number, k: number, shape: readonly number[]): Tensor {
  return numbers(stream, [k, ...shape], 0, Math.sqrt(3));
}

/** The model of a golden with the golden's parameters. */
export function goldenGraph(golden: ModelGolden): Graph {
  const build = models[golden.model] as (options: ModelOptions) => Graph;
  const { input, outputs, batch } = golden;
  const graph = build({ input, outputs, batch, ...golden.options });
  const initializers = new Map(graph.initializers);
  for (const [index, name] of golden.parameters.entries()) {
    const shape = graph.initializers.get(name)?.shape;
    if (!shape) throw new Error(`${golden.name} has no '${name}'.`);
    initializers.set(name, numbers(parameterStreams + index, shape, ...firstValue(name, shape)));
  }
  return { ...graph, initializers };
}

export interface GoldenCase {
  readonly objective: Objective;
  /** Data, labels and parameters. */
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly weightTangents: Readonly<Record<string, Tensor>>;
}

/** The golden's model through a file, with the data and directions of the golden. */
export async function openGolden(
  golden: ModelGolden,
  runtime: Runtime,
  batchNorm?: "frozen" | "batch",
): Promise<GoldenCase> {
  const { batch, input, seed, k } = golden;
  const model = goldenGraph(golden);
  const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch, batchNorm });
  const names = golden.parameters.filter((name) => name in objective.parameters);
  const directions = names.map((name, index) => {
    const shape = objective.parameters[name]?.shape ?? [];
    return [`tangent/${name}`, tangents(weightTangents + index, k, shape)] as const;
  });
  return {
    objective,
    feeds: {
      ...objective.parameters,
      input: numbers(inputs + seed, [batch, ...input], 0.5, 0.5),
      labels: int64(golden.labels),
    },
    weightTangents: Object.fromEntries(directions),
  };
}

export function goldenSiteTangents(index: number, k: number, shape: readonly number[]): Tensor {
  return tangents(siteTangents + index, k, shape);
}

export function unpack(base64: string): Float32Array {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}
