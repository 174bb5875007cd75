/** The errors that users catch, told apart by what they are about. */
import { type Mention, Words } from "./words.ts";

/**
 * What the library throws, in one small set; this class itself where one part of a larger work fails, with that part's
 * error as its cause. A message says what is expected, what was received and what to do about it, in the library's own
 * words; `mentions` says where it names options. `name` is a property of each error, and so outlives a worker's `error`
 * event, where `instanceof` does not.
 */
export class ForwardgradError extends Error {
  override readonly name: string = "ForwardgradError";
  /** Options that the message names, and where. */
  readonly mentions: readonly Mention[];

  constructor(message: string | Words, { cause }: Caused = {}) {
    super(`${message}`, cause === undefined ? undefined : { cause });
    this.mentions = message instanceof Words ? message.mentions : [];
  }
}

interface Caused {
  /** The error behind this one. */
  readonly cause?: unknown;
}

/** An option, or an argument, that is unknown, out of range, or at odds with others. Nothing has been computed. */
export class SettingError extends ForwardgradError {
  override readonly name: string = "SettingError";
  /** The option's name in the library, for example `learningRate`. */
  readonly option: string;
  /** Valid names near the one that was given, the nearest first. */
  readonly neighbours: readonly string[];

  constructor(
    message: string | Words,
    {
      option,
      neighbours = [],
      ...rest
    }: Caused & { readonly option: string; readonly neighbours?: readonly string[] },
  ) {
    super(message, rest);
    this.option = option;
    this.neighbours = neighbours;
  }
}

/** Where in a model something is wrong. */
export interface InModel extends Caused {
  /** The model: a file's path, or a graph's name. */
  readonly source?: string | undefined;
  /** The node's name. */
  readonly node?: string | undefined;
}

/** A model (a file, or a graph) that is damaged, invalid, too large, or unfit for what is asked of it. */
export class ModelError extends ForwardgradError {
  override readonly name: string = "ModelError";
  /** The model: a file's path, or a graph's name; undefined where it is not known. */
  readonly source: string | undefined;
  /** The name of the node that is concerned; undefined where none is, or several are. */
  readonly node: string | undefined;

  constructor(message: string | Words, { source, node, ...rest }: InModel = {}) {
    super(message, rest);
    this.source = source;
    this.node = node;
  }
}

/** An op, or a form of one, that has no rule here: for its derivative, its shape, or its transpose. */
export class UnsupportedOpError extends ModelError {
  override readonly name: string = "UnsupportedOpError";
  /** The ONNX name of the op, for example `Conv`. */
  readonly op: string;
  /** The op's domain; "" is the ONNX standard. */
  readonly domain: string;

  constructor(
    message: string | Words,
    { op, domain = "", ...rest }: InModel & { readonly op: string; readonly domain?: string },
  ) {
    super(message, rest);
    this.op = op;
    this.domain = domain;
  }
}

/** Examples, labels, or a file of them, that are missing, damaged, or not what is expected. */
export class DataError extends ForwardgradError {
  override readonly name: string = "DataError";
  /** The file, folder or dataset; undefined for arrays in memory. */
  readonly source: string | undefined;
  /** The row of a table, as spreadsheets count: the header is row 1. */
  readonly row: number | undefined;
  /** The name of the column of a table. */
  readonly column: string | undefined;

  constructor(
    message: string | Words,
    {
      source,
      row,
      column,
      ...rest
    }: Caused & {
      readonly source?: string | undefined;
      readonly row?: number | undefined;
      readonly column?: string | undefined;
    } = {},
  ) {
    super(message, rest);
    this.source = source;
    this.row = row;
    this.column = column;
  }
}

/** A run's folder, or a file in it, that cannot be written, is damaged, is in use, or belongs to another run. */
export class StorageError extends ForwardgradError {
  override readonly name: string = "StorageError";
  /** The folder or file. */
  readonly path: string | undefined;

  constructor(message: string | Words, { path, ...rest }: Caused & { readonly path?: string } = {}) {
    super(message, rest);
    this.path = path;
  }
}

/** Training has left the region where its losses mean anything; the last good state is kept. */
export class DivergenceError extends ForwardgradError {
  override readonly name: string = "DivergenceError";
  /** What diverged, in words, where a lower learning rate may help; undefined where it does not. */
  readonly reason: string | undefined;

  constructor(message: string | Words, { reason, ...rest }: Caused & { readonly reason?: string } = {}) {
    super(message, rest);
    this.reason = reason;
  }
}

/** The device that a runtime was told to use is not there, or cannot be used. */
export class DeviceError extends ForwardgradError {
  override readonly name: string = "DeviceError";
  /** The device, for example `webgpu`. */
  readonly device: string | undefined;

  constructor(message: string | Words, { device, ...rest }: Caused & { readonly device?: string } = {}) {
    super(message, rest);
    this.device = device;
  }
}
