/** A new head on a model: a linear layer on one of its values, in the place of what came behind. */
import { create } from "@bufbuild/protobuf";
import type { ModelProto } from "onnx-buf";
import { encodeNode, encodeTensor } from "../../onnx/encode.ts";
import { type Graph, int, type Node } from "../../onnx/graph.ts";
import { withFields } from "../../onnx/messages/message.ts";
import {
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from "../../onnx/messages/schemas.ts";
import { pruneModel } from "../../onnx/prune-model.ts";
import { type Head, type Model, readModel } from "../../onnx/read-model.ts";
import { dtypeNumbers, type Tensor } from "../../onnx/tensor.ts";
import { streamKey } from "../../random/streams.ts";
import { fold } from "../../random/threefry.ts";
import { resolveOptions } from "../../settings/check.ts";
import { requireOptions } from "../../settings/needs.ts";
import { uniform } from "../adapters/adapt-model.ts";
import { modelFrom } from "../importing/model-file.ts";
import { type HeadOptions, headOptions } from "./head-options.ts";
import { headSource, widthOf } from "./head-source.ts";
import { knownValues } from "./known-shapes.ts";
import { normParameters } from "./norm-parameters.ts";
import { headNodes, pooled } from "./pooling.ts";

/**
 * The model with a new linear layer on one of its values, whose result, logits [batch, outputs], is all that it computes; what
 * nothing needs any more is gone, an old head with it. `train` trains the head alone unless `beside`, `adapter` or `trainable`
 * says more. Its first numbers are those of PyTorch's Linear, uniform in ±1/√width.
 *
 * @throws SettingError for a value that no head can read, with its shape and those of values that one can
 * @example
 * const model = await withHead(loadModel("encoder.onnx"), { outputs: 3 });
 * for await (const event of train({ model, examples, runtime })) if (event.kind === "done") console.log(event.result);
 */
export async function withHead(model: Uint8Array | Model | Graph, options: HeadOptions): Promise<Model> {
  const resolved = resolveOptions(headOptions, options, { of: "withHead", prefix: "head." });
  requireOptions("withHead", headOptions, options, ["outputs"], "head.");
  const { outputs } = options;
  const { from, pool, beside, alone, seed, dimensions } = resolved;
  const base = await modelFrom(model);
  const source = headSource(base, from, await knownValues(base, dimensions));
  const body = pruneModel(base, [source.name]);
  const taken = [...base.inputs.map(({ name }) => name), ...namesIn(body)];
  const prefix = freeName("head", (name) =>
    taken.some((each) => each === name || each.startsWith(`${name}.`) || each.startsWith(`${name}/`)),
  );
  const output = freeName("logits", (name) => taken.includes(name));
  const g = headNodes(prefix);
  const { value, hasPositions, pooling } = pooled(g, base, source, pool);
  const parameters = [`${prefix}.weight`, `${prefix}.bias`];
  addLinear(g, value, { parameters, hasPositions, output, prefix });
  const first = firstNumbers(parameters, outputs, widthOf(source.shape) as number, seed);
  const added = { nodes: g.nodes, initializers: new Map([...first, ...g.initializers]) };
  const dimensionsOut = ["batch", ...(hasPositions ? ["positions"] : []), outputs];
  const edit = (proto: ModelProto) =>
    extended(pruneModel({ ...base, proto }, [source.name]).proto, added, output, dimensionsOut);
  const edited = readModel(edit(base.proto), base.source, base.limits);
  const head: Head = {
    ...{ from: source.name, shape: source.shape, pooling, outputs, parameters, alone },
    ...(source.cut !== undefined && { cut: source.cut }),
    beside: beside === "all" ? beside : beside === "norms" ? normParameters(edited) : [],
  };
  const { file } = base;
  return { ...edited, head, ...(file && { file: { ...file, proto: edit(file.proto) } }) };
}

/** x·Wᵀ + b. */
function addLinear(
  g: ReturnType<typeof headNodes>,
  x: string,
  {
    parameters: [weight = "", bias = ""],
    hasPositions,
    output,
    prefix,
  }: { parameters: readonly string[]; hasPositions: boolean; output: string; prefix: string },
): void {
  const last = { domain: "", outputs: [output] };
  if (!hasPositions) {
    const attributes = { transB: int(1) };
    g.nodes.push({ ...last, name: `${prefix}/Gemm`, op: "Gemm", inputs: [x, weight, bias], attributes });
    return;
  }
  const product = g.add("MatMul", [x, g.add("Transpose", [weight])]);
  g.nodes.push({ ...last, name: `${prefix}/Add`, op: "Add", inputs: [product, bias], attributes: {} });
}

function firstNumbers(
  names: readonly string[],
  outputs: number,
  width: number,
  seed: number,
): [string, Tensor][] {
  const key = streamKey(seed, "head");
  return names.map((name, index) => {
    const shape = index === 0 ? [outputs, width] : [outputs];
    return [name, uniform(shape, fold(key, index), 1 / Math.sqrt(width))];
  });
}

function extended(
  proto: ModelProto,
  {
    nodes,
    initializers,
  }: { readonly nodes: readonly Node[]; readonly initializers: ReadonlyMap<string, Tensor> },
  output: string,
  dimensions: readonly (string | number)[],
): ModelProto {
  const { graph } = proto;
  if (!graph) return proto;
  const dim = dimensions.map((size) =>
    create(TensorShapeProto_DimensionSchema, {
      value:
        typeof size === "number"
          ? { case: "dimValue", value: BigInt(size) }
          : { case: "dimParam", value: size },
    }),
  );
  const tensorType = create(TypeProto_TensorSchema, {
    elemType: dtypeNumbers.float32,
    shape: create(TensorShapeProtoSchema, { dim }),
  });
  const type = create(TypeProtoSchema, { value: { case: "tensorType", value: tensorType } });
  return withFields(proto, {
    graph: withFields(graph, {
      node: [...graph.node, ...nodes.map(encodeNode)],
      initializer: [
        ...graph.initializer,
        ...[...initializers].map(([name, tensor]) => encodeTensor(name, tensor)),
      ],
      output: [create(ValueInfoProtoSchema, { name: output, type })],
    }),
  });
}

function namesIn({ nodes, initializers }: Model): string[] {
  return [...initializers.keys(), ...nodes.flatMap(({ name, outputs }) => [name, ...outputs])];
}

function freeName(wanted: string, isTaken: (name: string) => boolean): string {
  let name = wanted;
  for (let number = 2; isTaken(name); number++) name = `${wanted}_${number}`;
  return name;
}
