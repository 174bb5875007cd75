import type { DescMessage } from "@bufbuild/protobuf";
import { ModelError } from "../../errors/errors.ts";
import { words } from "../../errors/words.ts";
import { howToRaise, type Limits } from "../../limits/limits.ts";
import { GraphProtoSchema, ModelProtoSchema, NodeProtoSchema, TensorProtoSchema } from "./schemas.ts";

/** What the bytes of a model file hold, counted before any of it is built in memory. */
export interface ModelScan {
  /** Nodes at every level: of branches, loops and local functions too. */
  readonly nodes: number;
  /** Messages of all kinds: two bytes can stand for one, which takes a hundred times that in memory. */
  readonly messages: number;
  /** Levels of graphs inside of nodes; 0 where there are none. */
  readonly nesting: number;
  /** The name of a tensor that keeps its numbers in another file, if there is one. */
  readonly external: string | undefined;
}

/** Numbers of TensorProto's fields. */
const tensorFields = { name: 8, externalData: 13, dataLocation: 14 } as const;

/** What real files hold a node, with their attributes, types and metadata, stays far below. */
const messagesPerNode = 50;

/**
 * Goes through the wire format of a model file without building anything.
 *
 * @throws when the bytes are no protobuf message, with the place where they stop making sense
 */
export function scanModel(bytes: Uint8Array): ModelScan {
  let [nodes, messages, nesting] = [0, 0, 0];
  let external: string | undefined;
  // An explicit stack: files can be nested deeper than the call stack.
  const open: Level[] = [{ type: ModelProtoSchema, at: 0, end: bytes.length, graphs: 0 }];
  for (let level = open.at(-1); level !== undefined; level = open.at(-1)) {
    if (level.at === level.end) {
      if (level.isExternal) external ??= level.name ?? "";
      open.pop();
      continue;
    }
    const field = readField(bytes, level);
    if (level.type === TensorProtoSchema) noteTensorField(level, field, bytes);
    const type = field.isDelimited ? messageIn(level.type, field.number) : undefined;
    if (!type) continue;
    messages++;
    if (type === NodeProtoSchema) nodes++;
    const graphs = level.graphs + (type === GraphProtoSchema ? 1 : 0);
    nesting = Math.max(nesting, graphs - 1);
    open.push({ type, at: field.start, end: field.end, graphs });
  }
  return { nodes, messages, nesting, external };
}

/**
 * Refuses a file that would become more than the limits allow.
 *
 * @throws naming the limit
 */
export function checkScan({ nodes, messages, nesting }: ModelScan, source: string, limits: Limits): void {
  const parts = Math.ceil(messages / messagesPerNode);
  const counts = [
    ["nodes", nodes, "nodes"],
    ["nesting", nesting, "levels of graphs inside of nodes"],
    ["nodes", parts, `times ${messagesPerNode} parts, more than so many nodes have`],
  ] as const;
  for (const [name, count, what] of counts)
    if (count > limits[name])
      throw new ModelError(
        words`${source} has ${count.toLocaleString("en")} ${what}; ${howToRaise(name, limits)}`,
        { source },
      );
}

/** A message that is being gone through. */
interface Level {
  readonly type: DescMessage;
  /** Where the next field begins. */
  at: number;
  readonly end: number;
  /** Graphs around what is in this message. */
  readonly graphs: number;
  name?: string;
  isExternal?: boolean;
}

interface Field {
  readonly number: number;
  readonly isDelimited: boolean;
  /** Place of its content. */
  readonly start: number;
  readonly end: number;
}

/** Reads one field and moves behind it. */
function readField(bytes: Uint8Array, level: Level): Field {
  const offset = level.at;
  const tag = readVarint(bytes, offset, level.end);
  const [number, wireType] = [Math.floor(tag.value / 8), tag.value % 8];
  let [start, end] = [tag.end, level.end + 1];
  if (wireType === 0) end = readVarint(bytes, start, level.end).end;
  else if (wireType === 1) end = start + 8;
  else if (wireType === 5) end = start + 4;
  else if (wireType === 2) {
    const length = readVarint(bytes, start, level.end);
    start = length.end;
    end = start + length.value;
  }
  if (number === 0 || end > level.end)
    throw new Error(`the field ${number} at byte ${offset} does not end inside of its message`);
  level.at = end;
  return { number, isDelimited: wireType === 2, start, end };
}

function readVarint(bytes: Uint8Array, start: number, end: number): { value: number; end: number } {
  let value = 0;
  for (let offset = start, factor = 1; offset < Math.min(end, start + 10); offset++, factor *= 128) {
    const byte = bytes[offset] ?? 0;
    value += (byte % 128) * factor;
    if (byte < 128) return { value, end: offset + 1 };
  }
  throw new Error(`the number at byte ${start} does not end`);
}

function noteTensorField(level: Level, { number, start, end }: Field, bytes: Uint8Array): void {
  if (number === tensorFields.name) level.name = new TextDecoder().decode(bytes.subarray(start, end));
  else if (number === tensorFields.externalData) level.isExternal = true;
  else if (number === tensorFields.dataLocation && bytes.subarray(start, end).some((byte) => byte % 128 > 0))
    level.isExternal = true;
}

const messageFields = new Map<DescMessage, ReadonlyMap<number, DescMessage>>();

/** The type of message that a field of this number holds. */
function messageIn(type: DescMessage, number: number): DescMessage | undefined {
  let fields = messageFields.get(type);
  if (!fields) {
    fields = new Map(type.fields.flatMap((field) => (field.message ? [[field.number, field.message]] : [])));
    messageFields.set(type, fields);
  }
  return fields.get(number);
}
