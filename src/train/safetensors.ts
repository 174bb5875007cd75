import { bytesOf, type DType, dataFromBytes, elementCount, type Tensor } from "../onnx/tensor.ts";

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
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  let offset = 0;
  const header: Record<string, unknown> = { __metadata__: metadata };
  for (const [name, tensor] of Object.entries(tensors)) {
    const end = offset + tensor.data.byteLength;
    header[name] = { dtype: names[tensor.dtype], shape: tensor.shape, data_offsets: [offset, end] };
    offset = end;
  }
  const text = JSON.stringify(header);
  // Spaces pad the header, so that the data starts on a multiple of 8.
  const head = new TextEncoder().encode(text.padEnd(text.length + ((8 - (text.length % 8)) % 8)));
  const bytes = new Uint8Array(8 + head.length + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(head.length), true);
  bytes.set(head, 8);
  let place = 8 + head.length;
  for (const { data } of Object.values(tensors)) {
    bytes.set(bytesOf(data), place);
    place += data.byteLength;
  }
  return bytes;
}

/** @throws when the bytes are no complete safetensors file; `source` names it. */
export function decodeSafetensors(
  bytes: Uint8Array,
  source: string,
): { readonly tensors: Record<string, Tensor>; readonly metadata: Readonly<Record<string, string>> } {
  try {
    const length = Number(
      new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(0, true),
    );
    const start = 8 + length;
    const { __metadata__: metadata = {}, ...entries } = JSON.parse(
      new TextDecoder().decode(bytes.subarray(8, start)),
    );
    const tensors: Record<string, Tensor> = {};
    for (const [name, entry] of Object.entries(entries as Record<string, HeaderEntry>)) {
      const dtype = (Object.keys(names) as DType[]).find((key) => names[key] === entry.dtype);
      const data = bytes.slice(start + entry.data_offsets[0], start + entry.data_offsets[1]);
      if (!dtype) throw new Error(`unknown type ${entry.dtype} of '${name}'`);
      const values = dataFromBytes(dtype, data);
      if (values.length !== elementCount(entry.shape)) throw new Error(`'${name}' is cut off`);
      tensors[name] = { dtype, shape: entry.shape, data: values };
    }
    return { tensors, metadata };
  } catch (cause) {
    throw new Error(`${source} is no complete safetensors file: ${(cause as Error).message}.`, { cause });
  }
}

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: number[];
  readonly data_offsets: [number, number];
}
