import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type ModelProto,
  ModelProtoSchema,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
} from "onnx-buf";
import { checkDerivatives, type Evaluate } from "../src/ad/check.ts";
import { importGraph } from "../src/objective/importing/import-model.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { encodeGraph } from "../src/onnx/encode.ts";
import { type Attribute, type Graph, int, type Node, type Value } from "../src/onnx/graph.ts";
import { toSingle } from "../src/onnx/half-precision.ts";
import { decodeTensor, supportedOpsets } from "../src/onnx/read-model.ts";
import { dtypeNumbers, elementCount, isFloat, type Tensor, tensorOf, toNumbers } from "../src/onnx/tensor.ts";
import { UnknownConstantError } from "../src/ops/shapes.ts";
import type { Runtime, Session } from "../src/runtime/runtime.ts";

/** What became of one test of the ONNX standard's node suite. */
export interface Outcome {
  readonly name: string;
  /** The op that the test is about: of a single node, or what its name says of an expanded function. */
  readonly op: string;
  readonly status: "derivatives" | "values" | "outside" | "wrong";
  /** How it passed, or why it did not. */
  readonly reason: string;
  /** The file's opset, where it lies outside the supported ones and was restated as the nearest of them. */
  readonly restated?: number;
  /** The derivatives agree beside the test's own inputs, which hold a kink, a NaN or an infinity. */
  readonly moved?: boolean;
  /** Runs in float64 too, but agrees only within the bounds of float32. */
  readonly coarse?: boolean;
  readonly detail?: string;
}

type Tensors = Readonly<Record<string, Tensor>>;

/** Names of the tests in the suite's folder. */
export function testNames(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, "model.onnx")))
    .sort();
}

/**
 * Runs one test through the library's own path: decode, import with the test's inputs, compare values, then compare
 * directional derivatives with central differences and the transpose with the directional derivatives.
 */
export async function runTest(folder: string, name: string, runtime: Runtime): Promise<Outcome> {
  const original = readFileSync(join(folder, name, "model.onnx"));
  const proto = fromBinary(ModelProtoSchema, original);
  const op = subject(proto, name);
  const restated = restateOpset(proto);
  const outcome = (status: Outcome["status"], reason: string, more: Partial<Outcome> = {}): Outcome => ({
    name,
    op,
    status,
    reason,
    restated,
    ...more,
  });
  try {
    const data = join(folder, name, "test_data_set_0");
    // Decoded first for what it refuses; the tensors are read only then.
    decodeModel(toBinary(ModelProtoSchema, proto), { source: name });
    refuseLists(proto);
    const inputs = readTensors(data, "input", proto.graph?.input.map((input) => input.name) ?? []);
    const expected = readTensors(data, "output", proto.graph?.output.map((output) => output.name) ?? []);
    // Sizes may be floats too, and inputs without floats beside them may be sizes.
    const imported = await importTest(proto, inputs, runtime, name, "integers")
      .catch(() => importTest(proto, inputs, runtime, name, "others"))
      .catch(() => importTest(proto, inputs, runtime, name, "all"));
    const actual = await withSessions(runtime, (run) => run(imported.graph, imported.feeds));
    const detail = firstDifference(actual, expected);
    if (detail && restated !== undefined && !(await runtimeProblem(original, inputs, expected, runtime)))
      return outcome("outside", `opset ${restated}, and another form`, { detail });
    const problem =
      detail && (await runtimeProblem(toBinary(ModelProtoSchema, proto), inputs, expected, runtime));
    if (problem)
      return outcome("outside", "ONNX Runtime's own values differ from the suite's", { detail: problem });
    if (detail) return outcome("wrong", "other values", { detail });
    const { graph } = imported;
    if (!hasFloats(graph.inputs) || !hasFloats(graph.outputs))
      return outcome("values", "no float input or no float output");
    if (graph.inputs.every(({ dtype, shape }) => !isFloat(dtype) || elementCount(shape) === 0))
      return outcome("values", "the float inputs are empty");
    return { ...outcome("derivatives", ""), ...(await checkTest(proto, imported, inputs, runtime, name)) };
  } catch (error) {
    const reason = reasonOf(error as Error);
    const detail = (error as Error).message;
    if (reason !== runtimeFails || restated === undefined) return outcome("outside", reason, { detail });
    const isOwn = await runtimeProblem(original, undefined, {}, runtime);
    return outcome("outside", isOwn ? reason : `opset ${restated}, and another form`, { detail });
  }
}

/** What ONNX Runtime alone does wrong on this file: does not load it, or gives other values. */
async function runtimeProblem(
  bytes: Uint8Array,
  inputs: Tensors | undefined,
  expected: Tensors,
  runtime: Runtime,
): Promise<string | undefined> {
  try {
    const session = await runtime.createSession(bytes);
    const own = inputs && (await session.run(inputs));
    await session.release();
    return own && firstDifference(own, expected);
  } catch (error) {
    return (error as Error).message;
  }
}

function hasFloats(values: readonly { readonly dtype: Tensor["dtype"] }[]): boolean {
  return values.some(({ dtype }) => isFloat(dtype));
}

/** The op of a single node; of a function's expansion, the test's name says it. */
function subject(proto: ModelProto, name: string): string {
  const ops = new Set(proto.graph?.node.map((node) => node.opType));
  const [first] = ops;
  return ops.size === 1 && first !== undefined ? first : name.replace(/^test_(cc_)?/, "").replace(/_.*/, "*");
}

/** Gives the file the nearest supported opset, where its own lies outside; returns its own. */
function restateOpset(proto: ModelProto): number | undefined {
  const entry = proto.opsetImport.find(({ domain }) => domain === "" || domain === "ai.onnx");
  if (!entry) return undefined;
  const own = Number(entry.version);
  const nearest = Math.min(Math.max(own, supportedOpsets.oldest), supportedOpsets.newest);
  if (nearest === own) return undefined;
  entry.version = BigInt(nearest);
  return own;
}

/** @throws where an input or output is a list or an optional value, whose files hold no tensors */
function refuseLists({ graph }: ModelProto): void {
  const list = [...(graph?.input ?? []), ...(graph?.output ?? [])].find(
    ({ type }) => type?.value.case !== "tensorType",
  );
  if (list) throw new Error(`'${list.name}': sequences are not supported as inputs and outputs`);
}

function readTensors(folder: string, kind: string, names: readonly string[]): Record<string, Tensor> {
  return Object.fromEntries(
    names.map((name, index) => {
      const file = join(folder, `${kind}_${index}.pb`);
      // Files of 16 bits are computed in float32.
      return [name, toSingle(decodeTensor(fromBinary(TensorProtoSchema, readFileSync(file)), file))];
    }),
  );
}

interface Imported {
  readonly graph: Graph;
  readonly feeds: Tensors;
}

/**
 * Imports the file with static shapes. Its integer inputs (shapes, axes, indices) become stored constants, as exporters
 * write them, when there is a float input beside them; with `others`, all inputs but the first.
 */
async function importTest(
  original: ModelProto,
  inputs: Tensors,
  runtime: Runtime,
  source: string,
  constants: "integers" | "others" | "all",
): Promise<Imported> {
  const proto = fromBinary(ModelProtoSchema, toBinary(ModelProtoSchema, original));
  const graph = proto.graph;
  if (!graph) throw new Error(`${source} has no graph`);
  const isConstant = (tensor: Tensor, index: number) => {
    if (constants === "all") return true;
    return constants === "others" ? index > 0 : hasFloats(Object.values(inputs)) && !isFloat(tensor.dtype);
  };
  const feeds: Record<string, Tensor> = {};
  graph.input = graph.input.filter((input, index) => {
    const tensor = inputs[input.name];
    if (!tensor) return true;
    if (isConstant(tensor, index)) {
      const { dtype, shape, data } = tensor;
      const rawData = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength).slice();
      graph.initializer.push(
        create(TensorProtoSchema, {
          name: input.name,
          dataType: dtypeNumbers[dtype],
          dims: shape.map(BigInt),
          rawData,
        }),
      );
      return false;
    }
    feeds[input.name] = tensor;
    if (input.type?.value.case === "tensorType") {
      const dim = tensor.shape.map((size) =>
        create(TensorShapeProto_DimensionSchema, { value: { case: "dimValue", value: BigInt(size) } }),
      );
      input.type.value.value.shape = create(TensorShapeProtoSchema, { dim });
    }
    return true;
  });
  const model = decodeModel(toBinary(ModelProtoSchema, proto), { source });
  return { graph: await importGraph(model, { runtime, feeds }), feeds };
}

const bounds = {
  float64: { forward: 1e-6, transpose: 1e-10 },
  float32: { forward: 2e-2, transpose: 1e-4 },
} as const;

interface Move {
  readonly shrink: number;
  readonly spread: number;
}

const moves: readonly Move[] = [
  { shrink: 1, spread: 0 },
  { shrink: 0.8, spread: 0.05 },
  { shrink: 0.5, spread: 0.3 },
];

/** Tries float64 and then float32, each at the test's inputs and then beside them. */
async function checkTest(
  proto: ModelProto,
  imported: Imported,
  inputs: Tensors,
  runtime: Runtime,
  name: string,
): Promise<Partial<Outcome>> {
  const problems: string[] = [];
  for (const dtype of ["float64", "float32"] as const) {
    for (const [place, move] of moves.entries()) {
      try {
        const graph = dtype === "float64" ? inFloat64(imported.graph) : imported.graph;
        const feeds = Object.fromEntries(
          Object.entries(imported.feeds).map(([key, tensor]) => {
            const here = place > 0 && isFloat(tensor.dtype) ? moved(tensor, move) : tensor;
            return [key, dtype === "float64" ? tensorInFloat64(here) : here];
          }),
        );
        const report = await withSessions(runtime, async (evaluate) => {
          const values = await evaluate(graph, feeds);
          // Differences of infinities are no numbers.
          const outputs = graph.outputs.filter(({ name: output }) => allFinite(values[output]));
          if (!hasFloats(outputs)) return undefined;
          return checkDerivatives({ ...graph, outputs }, { evaluate, feeds, tangents: 2 });
        });
        if (!report) return { status: "values", reason: "an infinite or undefined result" };
        const { forwardError, transposeError } = report;
        if (forwardError < bounds[dtype].forward && transposeError < bounds[dtype].transpose)
          return {
            reason: dtype,
            moved: place > 0,
            coarse: dtype === "float32" && problems.some((text) => text.startsWith("float64")),
            detail: problems.join("; "),
          };
        problems.push(`${dtype}, place ${place}: ${forwardError}, transposed ${transposeError}`);
      } catch (error) {
        // Sizes and places may come as floats (scales, regions): then those are constants too.
        if (error instanceof UnknownConstantError && imported.graph.inputs.length > 1) {
          const fewer = await importTest(proto, inputs, runtime, name, "others");
          return checkTest(proto, fewer, inputs, runtime, name);
        }
        const message = (error as Error).message;
        if (dtype === "float32")
          return { status: "outside", reason: reasonOf(error as Error), detail: message };
        problems.push(message);
        break;
      }
    }
  }
  return { status: "wrong", reason: "other derivatives", detail: problems.join("; ") };
}

/** The same computation in float64. */
function inFloat64(graph: Graph): Graph {
  const value = (given: Value): Value => (given.dtype === "float32" ? { ...given, dtype: "float64" } : given);
  const attribute = (node: Node, name: string, given: Attribute): Attribute => {
    if (given.type === "tensor") return { type: "tensor", value: tensorInFloat64(given.value) };
    const isType = (node.op === "Cast" && name === "to") || (node.op === "EyeLike" && name === "dtype");
    return isType && given.type === "int" && given.value === dtypeNumbers.float32
      ? int(dtypeNumbers.float64)
      : given;
  };
  return {
    ...graph,
    inputs: graph.inputs.map(value),
    outputs: graph.outputs.map(value),
    values: new Map([...graph.values].map(([name, given]) => [name, value(given)])),
    initializers: new Map([...graph.initializers].map(([name, given]) => [name, tensorInFloat64(given)])),
    nodes: graph.nodes.map((node) => ({
      ...node,
      attributes: Object.fromEntries(
        Object.entries(node.attributes).map(([name, given]) => [name, attribute(node, name, given)]),
      ),
    })),
  };
}

function tensorInFloat64(tensor: Tensor): Tensor {
  return tensor.dtype === "float32" ? tensorOf("float64", toNumbers(tensor), tensor.shape) : tensor;
}

function allFinite(tensor: Tensor | undefined): boolean {
  return tensor !== undefined && toNumbers(tensor).every(Number.isFinite);
}

/** The elements drawn towards 0 and apart from each other, with numbers in place of NaN and infinities. */
function moved(tensor: Tensor, { shrink, spread }: Move): Tensor {
  const numbers = toNumbers(tensor).map((value, index) => {
    const fraction = ((index + 1) * 0.7548776662466927) % 1;
    return Number.isFinite(value)
      ? shrink * value + spread * (2 * fraction - 1) + (1 - shrink) / 4
      : fraction;
  });
  return tensorOf(tensor.dtype, numbers, tensor.shape);
}

/**
 * Runs with one session for each graph, freed at the end. Graphs stay as they are, because ONNX Runtime's optimizer
 * rounds factors of float64 products to float32 (it fuses Mul into MatMul).
 */
async function withSessions<Result>(
  runtime: Runtime,
  use: (evaluate: Evaluate) => Promise<Result>,
): Promise<Result> {
  const sessions = new Map<Graph, Session>();
  try {
    return await use(async (graph, feeds) => {
      const session =
        sessions.get(graph) ?? (await runtime.createSession(encodeGraph(graph), { optimize: false }));
      sessions.set(graph, session);
      return session.run(feeds);
    });
  } finally {
    for (const session of sessions.values()) await session.release();
  }
}

/** The suite's own tolerances: 1e-3 relative, 1e-7 absolute; integers and truth values exactly. */
function firstDifference(actual: Tensors, expected: Tensors): string | undefined {
  for (const [name, want] of Object.entries(expected)) {
    const have = actual[name];
    if (!have || have.dtype !== want.dtype || have.shape.join() !== want.shape.join())
      return `'${name}' is ${have?.dtype} [${have?.shape}], expected ${want.dtype} [${want.shape}]`;
    for (let place = 0; place < elementCount(want.shape); place++) {
      const [a, b] = [Number(have.data[place]), Number(want.data[place])];
      const isClose = isFloat(want.dtype) && Math.abs(a - b) <= 1e-7 + 1e-3 * Math.abs(b);
      if (!Object.is(a, b) && a !== b && !isClose) return `'${name}'[${place}] is ${a}, expected ${b}`;
    }
  }
  return undefined;
}

const runtimeFails = "ONNX Runtime does not run it";

/** Reasons by what messages say, most telling first. */
const reasons: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [
    /which serve decoding token by token/,
    "refused: a cache of keys and values, or inner products as outputs",
  ],
  [/drops values at random/, "refused: dropout while training"],
  [/mode '(bi)?cubic' is not supported/, "refused: cubic sampling"],
  [/keep_aspect_ratio_policy/, "refused: sizes that depend on the aspect ratio"],
  [/only ops of the default ONNX domain|opset none/, "another domain"],
  [/control flow is not supported/, "refused: control flow"],
  [/([Ss]equences|optional values).*not supported/, "refused: sequences and optional values"],
  [/text and encoded images/, "refused: text and encoded images"],
  [/quantized ops are not supported|rounded inside of an op/, "refused: quantized"],
  [/draw random numbers/, "refused: random numbers"],
  [/depends on\s+data/, "refused: the shape depends on data"],
  [/removed from the ONNX standard/, "refused: removed from the standard"],
  [/this op is not supported/, "no rules for the op"],
  [/float16|bfloat16/, "half precision"],
  [/element type|target type/, "strings, complex numbers, 8-bit floats or 4-bit integers"],
  [/has no derivative rule/, "refused: reduction without a derivative"],
  [/omitted output/, "an omitted output"],
  [/does not run on|Could not find an implementation|NOT_IMPLEMENTED/, runtimeFails],
];

function reasonOf(error: Error): string {
  return reasons.find(([pattern]) => pattern.test(error.message))?.[1] ?? "another error";
}
