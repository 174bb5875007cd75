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
} from "../errors/errors.ts";
import { type Mention, Words } from "../errors/words.ts";

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

type Class = new (message: Words, given: never) => ForwardgradError;

const classes: ReadonlyMap<string, Class> = new Map<string, Class>([
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

/** The error that was made plain, of its own class. */
export function errorFrom(plain: PlainError): unknown {
  if (plain.name === undefined) return plain.thrown;
  const { name, message, mentions, fields, cause } = plain;
  const Thrown = classes.get(name) ?? ForwardgradError;
  const given = { ...fields, ...(cause && { cause: errorFrom(cause) }) };
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
