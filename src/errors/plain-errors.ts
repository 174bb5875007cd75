/** Errors as plain data and back: messages between threads keep neither the class of an error nor what it holds. */
import {
  DataError,
  DeviceError,
  DivergenceError,
  ForwardgradError,
  ModelError,
  SettingError,
  StorageError,
  UnsupportedOpError,
} from "./errors.ts";
import { type Mention, Words } from "./words.ts";

/** An error that a message can hold. */
export type PlainError =
  | {
      /** A class of the library. */
      readonly name: string;
      readonly message: string;
      readonly mentions: readonly Mention[];
      /** What else the error holds: `option`, `node`, … */
      readonly fields: Readonly<Record<string, unknown>>;
      readonly cause?: PlainError;
    }
  /** Anything else that was thrown, which a message carries as it is. */
  | { readonly name?: undefined; readonly thrown: unknown };

/** A class of errors, which are made of their words and of what else they hold. */
export type ErrorClass = new (message: Words, given: never) => ForwardgradError;

const classes: ReadonlyMap<string, ErrorClass> = new Map<string, ErrorClass>([
  ["ForwardgradError", ForwardgradError],
  ["SettingError", SettingError],
  ["ModelError", ModelError],
  ["UnsupportedOpError", UnsupportedOpError],
  ["DataError", DataError],
  ["StorageError", StorageError],
  ["DivergenceError", DivergenceError],
  ["DeviceError", DeviceError],
]);

/** An error as plain data, with the errors behind it. */
export function plainError(error: unknown): PlainError {
  if (!(error instanceof ForwardgradError)) return { thrown: sendable(error) };
  const { name, message, mentions, cause } = error;
  const own = Object.entries(error).filter(
    ([key]) => !["name", "message", "mentions", "cause"].includes(key),
  );
  const fields = Object.fromEntries(own.map(([key, value]) => [key, sendable(value)]));
  return { name, message, mentions, fields, ...(cause !== undefined && { cause: plainError(cause) }) };
}

/**
 * The error that was made plain, of its own class.
 *
 * @param further classes by name, beside those of the library's core
 */
export function errorFrom(plain: PlainError, further: Readonly<Record<string, ErrorClass>> = {}): unknown {
  if (plain.name === undefined) return plain.thrown;
  const { name, message, mentions, fields, cause } = plain;
  const Thrown = classes.get(name) ?? further[name] ?? ForwardgradError;
  const given = { ...fields, ...(cause && { cause: errorFrom(cause, further) }) };
  return new Thrown(new Words(message, mentions), given as never);
}

/** A value if a message can hold it, or else its text. */
function sendable(value: unknown): unknown {
  try {
    return structuredClone(value);
  } catch {
    return String(value);
  }
}
