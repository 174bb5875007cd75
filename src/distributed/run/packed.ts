/** Plain data with arrays of numbers as bytes: what a run is, for workers elsewhere. */
import { isArrayOf } from "../../arrays/kind.ts";
import { SettingError, StorageError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";

/** Kinds of arrays that keep their bytes. */
const kinds = {
  ...{ Uint8Array, Int8Array, Uint16Array, Int16Array, Uint32Array, Int32Array, Float32Array, Float64Array },
};
type Kind = keyof typeof kinds;

/** Data as JSON holds it: what JSON has no words for is said by an object of one key; objects themselves are `map`. */
type Packed =
  | string
  | boolean
  | null
  | number
  | readonly Packed[]
  | { readonly map: Readonly<Record<string, Packed>> }
  | { readonly number: string }
  | { readonly pattern: string; readonly flags: string }
  | { readonly array: Kind; readonly at: number; readonly length: number };

/**
 * One file of plain data: lists, objects, patterns and arrays of numbers among it.
 *
 * @throws SettingError for functions, which no file can hold, naming the option that has one
 */
export function pack(data: Readonly<Record<string, unknown>>): Uint8Array {
  const parts: Uint8Array[] = [];
  let size = 0;
  const packed = (value: unknown, name: string): Packed => {
    if (value === null || typeof value === "string" || typeof value === "boolean") return value;
    if (typeof value === "number")
      return isInJson(value) ? value : { number: Object.is(value, -0) ? "-0" : String(value) };
    if (Array.isArray(value)) return value.map((each) => packed(each, name));
    if (ArrayBuffer.isView(value)) {
      const kind = (Object.keys(kinds) as Kind[]).find((each) => isArrayOf(each, value));
      if (!kind) throw unsendable(name);
      const view = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
      // Arrays begin where their numbers may lie.
      const start = Math.ceil(size / 8) * 8;
      parts.push(new Uint8Array(start - size), view);
      size = start + view.length;
      return { array: kind, at: start, length: view.length };
    }
    if (Object.prototype.toString.call(value) === "[object RegExp]") {
      const { source, flags } = value as RegExp;
      return { pattern: source, flags };
    }
    if (typeof value !== "object") throw unsendable(name);
    const held = Object.entries(value).filter(([, part]) => part !== undefined);
    return { map: Object.fromEntries(held.map(([key, part]) => [key, packed(part, name)])) };
  };
  const held = Object.entries(data).filter(([, part]) => part !== undefined);
  const map = Object.fromEntries(held.map(([key, value]) => [key, packed(value, key)]));
  const head = new TextEncoder().encode(JSON.stringify(map));
  const start = Math.ceil((8 + head.length) / 8) * 8;
  const bytes = new Uint8Array(start + size);
  new DataView(bytes.buffer).setFloat64(0, head.length, true);
  bytes.set(head, 8);
  let at = start;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** JSON has no -0, and no infinities. */
function isInJson(value: number): boolean {
  return Number.isFinite(value) && !Object.is(value, -0);
}

function unsendable(name: string): SettingError {
  return new SettingError(
    words`${option(name)} cannot be sent to workers elsewhere, because there are functions in it. Give a name, data
      ({ name: …, … }), or what a function of the library makes.`,
    { option: name },
  );
}

/** @throws StorageError for what `pack` did not write */
export function unpack(bytes: Uint8Array, source: string): Readonly<Record<string, unknown>> {
  try {
    const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getFloat64(0, true);
    if (!(length >= 2 && length <= bytes.length - 8)) throw new RangeError("the head has no length");
    const start = Math.ceil((8 + length) / 8) * 8;
    const head = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<
      string,
      Packed
    >;
    const data = (value: Packed): unknown => {
      if (typeof value !== "object" || value === null) return value;
      if (Array.isArray(value)) return value.map(data);
      if ("map" in value)
        return Object.fromEntries(Object.entries(value.map).map(([key, part]) => [key, data(part)]));
      if ("number" in value) return Number(value.number);
      if ("pattern" in value) return new RegExp(value.pattern, value.flags);
      if (!("array" in value)) throw new RangeError("an object of no kind");
      const { array, at, length: size } = value;
      if (!(at >= 0 && size >= 0 && start + at + size <= bytes.length))
        throw new RangeError("an array is cut off");
      return new kinds[array](bytes.slice(start + at, start + at + size).buffer);
    };
    return Object.fromEntries(Object.entries(head).map(([key, value]) => [key, data(value)]));
  } catch (cause) {
    throw new StorageError(
      `${source} is damaged, or was not written by forwardgrad (${(cause as Error).message}); name another run.`,
      { path: source, cause },
    );
  }
}
