import * as z from "zod/mini";
import { StorageError } from "../errors/errors.ts";
import {
  bytesOf,
  bytesPerElement,
  type DType,
  dataFromBytes,
  elementCount,
  type Tensor,
} from "../onnx/tensor.ts";

const names: Partial<Record<DType, string>> = {
  float32: "F32",
  float64: "F64",
  int64: "I64",
  int32: "I32",
  uint8: "U8",
};

/**
 * Writes tensors and text metadata in the safetensors format (https://github.com/huggingface/safetensors): an 8-byte
 * header length, a JSON header, the data. Checkpoints are readable from Python with `safetensors.numpy.load_file`.
 *
 * @param tensors by name, of any shape [...]
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  let offset = 0;
  const entries = Object.entries(tensors).map(([name, { dtype, shape, data }]) => {
    const start = offset;
    offset += data.byteLength;
    return [name, { dtype: names[dtype], shape, data_offsets: [start, offset] }] as const;
  });
  const text = JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) });
  // Spaces pad the header, so that the data starts on a multiple of 8.
  const head = new TextEncoder().encode(text.padEnd(text.length + ((8 - (text.length % 8)) % 8)));
  const bytes = new Uint8Array(8 + head.length + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(head.length), true);
  bytes.set(head, 8);
  let position = 8 + head.length;
  for (const { data } of Object.values(tensors)) {
    bytes.set(bytesOf(data), position);
    position += data.byteLength;
  }
  return bytes;
}

const tensorEntry = z.strictObject({
  dtype: z.string(),
  shape: z.array(z.int().check(z.minimum(0))),
  data_offsets: z.tuple([z.int().check(z.minimum(0)), z.int().check(z.minimum(0))]),
});

const texts = z.record(z.string(), z.string());

/**
 * Reads a safetensors file.
 *
 * @returns tensors by name, in the shapes [...] that the file gives, and the text metadata
 * @throws when the bytes are no complete safetensors file; `source` names it
 */
export function decodeSafetensors(
  bytes: Uint8Array,
  source: string,
): { readonly tensors: Record<string, Tensor>; readonly metadata: Readonly<Record<string, string>> } {
  try {
    if (bytes.length < 8) throw new Error(`it has ${bytes.length} bytes`);
    const length = Number(
      new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(0, true),
    );
    const start = 8 + length;
    if (start > bytes.length) throw new Error(`its header ends at byte ${start} of ${bytes.length}`);
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, start));
    const header: unknown = JSON.parse(text);
    if (typeof header !== "object" || header === null || Array.isArray(header))
      throw new Error("its header does not list tensors");
    // Not parsed as a record: zod leaves out the name "__proto__".
    const { __metadata__: metadata = {}, ...entries } = header as Readonly<Record<string, unknown>>;
    const described = texts.safeParse(metadata);
    if (!described.success) throw new Error("'__metadata__' holds other things than texts");
    // Every byte of the data belongs to one tensor, as the format asks.
    let offset = 0;
    const tensors: [string, Tensor][] = [];
    for (const [name, entry] of sortedByOffset(entries)) {
      const { shape } = entry;
      const [from, to] = entry.data_offsets;
      const dtype = (Object.keys(names) as DType[]).find((key) => names[key] === entry.dtype);
      if (!dtype) throw new Error(`unknown type ${JSON.stringify(entry.dtype)} of '${name}'`);
      const size = elementCount(shape) * bytesPerElement(dtype);
      if (from !== offset || to - from !== size || start + to > bytes.length) {
        throw new Error(
          `'${name}' is cut off or out of place: ${dtype} [${shape.join(", ")}] takes ${size} bytes from ${offset}, and the ` +
            `header says ${from} to ${to} of ${bytes.length - start}`,
        );
      }
      tensors.push([
        name,
        { dtype, shape, data: dataFromBytes(dtype, bytes.slice(start + from, start + to)) },
      ]);
      offset = to;
    }
    if (start + offset !== bytes.length)
      throw new Error(`${bytes.length - start - offset} bytes follow its tensors`);
    return {
      tensors: Object.fromEntries(tensors),
      metadata: described.data,
    };
  } catch (cause) {
    throw new StorageError(`${source} is no complete safetensors file: ${(cause as Error).message}.`, {
      path: source,
      cause,
    });
  }
}

type HeaderEntry = z.infer<typeof tensorEntry>;

function sortedByOffset(entries: Readonly<Record<string, unknown>>): [string, HeaderEntry][] {
  const tensors = Object.entries(entries).map(([name, entry]): [string, HeaderEntry] => {
    const parsed = tensorEntry.safeParse(entry);
    if (!parsed.success) throw new Error(`'${name}' is no tensor`);
    return [name, parsed.data];
  });
  return tensors.sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0]);
}
