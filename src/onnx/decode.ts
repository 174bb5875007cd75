/** From the bytes of an ONNX file to a model. */
import { fromBinary } from "@bufbuild/protobuf";
import type { ModelProto, ValueInfoProto } from "onnx-buf";
import { isArrayOf } from "../arrays/kind.ts";
import { ModelError } from "../errors/errors.ts";
import { words } from "../errors/words.ts";
import { howToRaise, type Limits, limitsWith } from "../limits/limits.ts";
import { embedExternalData, type ReadExternal } from "./messages/external-data.ts";
import { checkScan, scanModel } from "./messages/scan.ts";
import { ModelProtoSchema } from "./messages/schemas.ts";
import { type Model, readModel } from "./read-model.ts";
import { hasFourBits, inFloat32 } from "./single-precision.ts";
import { inlineFunctions } from "./structure/functions.ts";

/** How a model file is read. */
export interface DecodeOptions {
  /** The file's name, for messages. */
  readonly source?: string;
  /** Reads a file of external tensor data, by its location relative to the model file. */
  readonly external?: ReadExternal;
  /** What the file may ask for, where it is other than `defaultLimits`. */
  readonly limits?: Partial<Limits>;
}

/**
 * Decodes an ONNX file.
 *
 * @throws when the bytes are not an ONNX model, are truncated, use an opset outside 7 to 24, name a value twice,
 * read a value that nothing computes, or contain a cycle; the message names the file and the node.
 */
export function decodeModel(bytes: Uint8Array, options: DecodeOptions = {}): Model {
  const source = options.source ?? "the model";
  const limits = limitsWith(options.limits);
  const proto = parseProto(bytes, source, limits);
  const { graph } = proto;
  if (!graph || proto.irVersion <= 0n || graph.node.length === 0) {
    throw new ModelError(
      `${source} is not an ONNX model: expected a graph with at least one node and an IR version, received ` +
        `${bytes.length} bytes with ${graph ? `${graph.node.length} nodes` : "no graph"}; pass a complete .onnx file.`,
      { source },
    );
  }
  copyBytes(proto);
  for (const value of [...graph.input, ...graph.output]) openZeros(value);
  embedExternalData(proto, source, limits, options.external);
  const inlined = inlineFunctions(proto, source, limits);
  return hasFourBits(inlined)
    ? inFloat32({ proto: inlined, source, limits })
    : readModel(inlined, source, limits);
}

/** Leaves dimensions of size 0 open, as some tools mean them: ONNX Runtime does so with -1, and takes 0 at its word. */
function openZeros({ type }: ValueInfoProto): void {
  if (type?.value.case !== "tensorType") return;
  for (const dimension of type.value.value.shape?.dim ?? [])
    if (dimension.value.case === "dimValue" && dimension.value.value === 0n)
      dimension.value = { case: undefined };
}

/** Gives a message copies of its bytes: a single view of the file's would keep all of them in memory. */
function copyBytes(message: object): void {
  const fields = message as Record<string, unknown>;
  for (const [name, value] of Object.entries(fields)) {
    if (isArrayOf("Uint8Array", value)) fields[name] = new Uint8Array(value);
    // Lists of numbers can be long, and are no views.
    else if (typeof value === "object" && value !== null && !(Array.isArray(value) && isNumber(value[0])))
      copyBytes(value);
  }
}

function isNumber(value: unknown): boolean {
  return typeof value === "number" || typeof value === "bigint";
}

function parseProto(bytes: Uint8Array, source: string, limits: Limits): ModelProto {
  if (bytes.length > limits.modelBytes) {
    throw new ModelError(
      words`${source} has ${bytes.length.toLocaleString("en")} bytes; ${howToRaise("modelBytes", limits)}`,
      { source },
    );
  }
  const understood = <Result>(read: () => Result): Result => {
    try {
      return read();
    } catch (cause) {
      throw new ModelError(
        `${source} is not a complete ONNX file: expected a protobuf ModelProto, received ${bytes.length} bytes that ` +
          `stop making sense (${(cause as Error).message}); check that the file was copied whole.`,
        { source, cause },
      );
    }
  };
  const scan = understood(() => scanModel(bytes));
  checkScan(scan, source, limits);
  return understood(() => fromBinary(ModelProtoSchema, bytes));
}
