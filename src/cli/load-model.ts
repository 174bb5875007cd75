import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { decodeModel, type Model } from "../onnx/decode.ts";

/** Reads an ONNX file, with the data files beside it. */
export function loadModel(path: string): Model {
  return decodeModel(readModelFile(path), {
    source: path,
    external: (location) => readModelFile(join(dirname(path), location)),
  });
}

function readModelFile(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (cause) {
    throw new Error(`The file '${path}' cannot be read (${(cause as Error).message}); check the path.`, {
      cause,
    });
  }
}
