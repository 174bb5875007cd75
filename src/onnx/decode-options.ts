/** What decoding an ONNX file takes, and what is said of anything else. */
import { isArrayOf } from "../arrays/kind.ts";
import type { Limits } from "../limits/limits.ts";
import { checkArgument, checkOptions } from "../settings/check.ts";
import { isObject, value } from "../settings/option.ts";
import type { ReadExternal } from "./messages/external-data.ts";

/** How a model file is read. */
export interface DecodeOptions {
  /** The file's name, for messages. */
  readonly source?: string;
  /** Reads a file of external tensor data, by its location relative to the model file. */
  readonly external?: ReadExternal;
  /** What the file may ask for, where it is other than `defaultLimits`. */
  readonly limits?: Partial<Limits>;
}

const modelBytes = value<Uint8Array>(
  "the bytes of an ONNX file (of an ArrayBuffer: new Uint8Array(buffer))",
  (given) => isArrayOf("Uint8Array", given),
  { help: "the model" },
);

const decodeOptions = {
  source: value<string>("the file's name", (given) => typeof given === "string", {
    help: "the file's name, for messages",
  }),
  external: value<ReadExternal>("a function of a location", (given) => typeof given === "function", {
    help: "reads a file of external tensor data",
  }),
  limits: value<Partial<Limits>>("an object of limits", isObject, { help: "what the file may ask for" }),
};

/** @throws SettingError for what are no bytes, and for unknown options, with the nearest one */
export function checkDecoding(bytes: Uint8Array, options: DecodeOptions): void {
  checkArgument("decodeModel", modelBytes, bytes);
  checkOptions(decodeOptions, options, { of: "decodeModel" });
}
