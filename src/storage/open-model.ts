/** Models from files by name, as a page's drop or file input gives them. */
import { ModelError, SettingError } from "../errors/errors.ts";
import type { Limits } from "../limits/limits.ts";
import { decodeModel } from "../onnx/decode.ts";
import type { Model } from "../onnx/read-model.ts";
import { checkArgument } from "../settings/check-argument.ts";
import { value } from "../settings/option.ts";

/** A file of a page, such as a `File`: what it is called, and its bytes. */
export interface NamedFile {
  /** Its name; a path whose last part is the name will do. */
  readonly name: string;
  /** Its bytes, as a `Blob` gives them. */
  arrayBuffer(): Promise<ArrayBuffer>;
}

const filesOption = value<readonly NamedFile[]>(
  "a list of files with names, such as those of an <input> or of a drop (bytes are decoded by decodeModel)",
  (given) =>
    Array.isArray(given) &&
    given.every((each) => typeof each?.name === "string" && typeof each.arrayBuffer === "function"),
  {},
);

/**
 * Reads an ONNX file out of a list of files, with the data files that lie beside it.
 *
 * @param changed limits on what the file may ask for, where they are other than the defaults
 * @throws SettingError when there is no or more than one .onnx file, ModelError when a data file that the model names is not
 * among them; and as `decodeModel`
 */
export async function openModel(files: readonly NamedFile[], changed?: Partial<Limits>): Promise<Model> {
  checkArgument("openModel", filesOption, files);
  const models = files.filter(({ name }) => /\.onnx$/i.test(name));
  const [file, ...others] = models;
  if (!file || others.length > 0) {
    throw new SettingError(
      `openModel expected one .onnx file, received ${models.length} among ${listed(files)}; give one model with its data files.`,
      { option: "openModel" },
    );
  }
  const bytes = new Uint8Array(await file.arrayBuffer());
  const beside = new Map<string, Uint8Array>();
  for (const each of files)
    if (each !== file) beside.set(lastPart(each.name), new Uint8Array(await each.arrayBuffer()));
  return decodeModel(bytes, {
    source: file.name,
    limits: changed,
    external(location) {
      const found = beside.get(lastPart(location));
      if (found) return found;
      throw new ModelError(
        `${file.name} keeps data in '${location}', which is not among ${listed(files)}; give that file beside it.`,
        { source: file.name },
      );
    },
  });
}

function lastPart(path: string): string {
  return path.split("/").at(-1) ?? path;
}

function listed(files: readonly NamedFile[]): string {
  return files.map(({ name }) => `'${name}'`).join(", ") || "no files";
}
