import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { ModelError } from "../errors/errors.ts";
import { type Words, words } from "../errors/words.ts";
import { howToRaise, type Limits, limitsWith } from "../limits/limits.ts";
import { decodeModel } from "../onnx/decode.ts";
import type { Model } from "../onnx/read-model.ts";
import { checkArgument } from "../settings/check-argument.ts";
import { value } from "../settings/option.ts";

const modelPath = value<string>(
  "the path of an ONNX file (bytes are decoded by decodeModel)",
  (given) => typeof given === "string" && given !== "",
  {},
);

/**
 * Reads an ONNX file, with the data files beside it.
 *
 * @param changed limits on what the file may ask for, where they are other than the defaults
 * @throws when a file cannot be read, is no regular file, lies outside of the model's folder (links are followed first), or
 * is larger than the limits allow; and as `decodeModel`
 */
export function loadModel(path: string, changed?: Partial<Limits>): Model {
  checkArgument("loadModel", modelPath, path);
  const limits = limitsWith(changed);
  const file = resolved(path);
  // A file that is a link has its data beside the link, or beside what it links to.
  const folders = [realpathSync(dirname(path)), dirname(file)];
  return decodeModel(readRegularFile(file, path, limits), {
    source: path,
    limits: changed,
    external(location) {
      const named = join(dirname(path), location);
      const real = resolved(named);
      if (!folders.some((folder) => isInside(folder, real))) {
        throw new ModelError(
          `${path} keeps data in '${location}', which leads to '${real}', outside of the model's folder; copy that file ` +
            "beside the model, if the model is to be trusted with it.",
          { source: path },
        );
      }
      return readRegularFile(real, named, limits);
    },
  });
}

function isInside(folder: string, file: string): boolean {
  const path = relative(folder, file);
  return path !== "" && path !== ".." && !path.startsWith(`..${sep}`) && join(folder, path) === file;
}

/** The path of the file itself, behind all links. */
function resolved(path: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    throw unreadable(path, (cause as Error).message, cause);
  }
}

function readRegularFile(path: string, shown: string, limits: Limits): Uint8Array {
  // Opening a pipe would wait for a writer. What the path was resolved to may have become a link since.
  const { O_RDONLY, O_NONBLOCK = 0, O_NOFOLLOW = 0 } = constants;
  let file: number | undefined;
  try {
    file = openSync(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    const state = fstatSync(file);
    if (!state.isFile()) throw unreadable(shown, "it is no regular file");
    if (state.size > limits.modelBytes)
      throw unreadable(
        shown,
        words`it has ${state.size.toLocaleString("en")} bytes; ${howToRaise("modelBytes", limits)}`,
      );
    return readAll(file, state.size, shown);
  } catch (cause) {
    if (cause instanceof UnreadableError) throw cause;
    throw unreadable(shown, (cause as Error).message, cause);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function readAll(file: number, size: number, shown: string): Uint8Array {
  const bytes = new Uint8Array(size);
  // One call reads no more than 2 GiB.
  for (let offset = 0; offset < size; ) {
    const read = readSync(file, bytes, offset, Math.min(size - offset, 2 ** 30), offset);
    if (read === 0) throw unreadable(shown, `it ends after ${offset} of ${size} bytes`);
    offset += read;
  }
  return bytes;
}

class UnreadableError extends ModelError {}

function unreadable(path: string, why: string | Words, cause?: unknown): UnreadableError {
  return new UnreadableError(words`The file '${path}' cannot be read (${why}); check the path.`, {
    source: path,
    cause,
  });
}
