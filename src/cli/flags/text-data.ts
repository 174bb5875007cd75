/** From flags to texts: the table that holds them, and the tokenizer that splits them. */
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { KnownTexts } from "../../data/dataset.ts";
import type { TextEncoding, TextTokenizer } from "../../data/text/encode-texts.ts";
import { DataError } from "../../errors/errors.ts";
import type { Model } from "../../onnx/read-model.ts";
import { isObject } from "../../settings/option.ts";
import { say } from "../output.ts";

/** The flags of texts. */
export interface TextFlags {
  readonly text?: string;
  readonly textPair?: string;
  readonly label?: string;
  readonly tokenizer?: string;
  readonly maxLength?: number;
}

export const defaultLength = 128;

/** Which columns hold texts, and how long they are: what flags say, or else a trained model. */
export function textColumns(
  flags: TextFlags,
  known: (Omit<KnownTexts, "pair"> & { readonly pair?: string | undefined }) | undefined,
): KnownTexts {
  const text = flags.text ?? known?.text;
  if (text === undefined)
    throw new Error("--data text needs --text COLUMN; say which column holds the texts.");
  const pair = flags.textPair ?? known?.pair;
  const maxLength = flags.maxLength ?? known?.maxLength ?? defaultLength;
  return { text, ...(pair !== undefined && { pair }), maxLength };
}

/**
 * The tokenizer that a flag names, as a file or its folder, or that lies beside the model file, one folder above, or where a run
 * left it for transformers.js.
 */
export function tokenizerFile({ tokenizer }: TextFlags, model: string): string {
  const name = "tokenizer.json";
  if (tokenizer !== undefined) {
    const path = basename(tokenizer).endsWith(".json") ? tokenizer : join(tokenizer, name);
    if (existsSync(path)) return path;
    throw new Error(`${path}: no such file; correct --tokenizer.`);
  }
  const beside = [join(dirname(model), name), join(dirname(model), "..", name)];
  const found = [...beside, join(dirname(model), "transformers", name)].find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new Error(
    `Texts need the model's tokenizer, and there is no ${beside.join(" and no ")}; say where it is (--tokenizer tokenizer.json).`,
  );
}

/** The file beside a tokenizer that says how texts are padded, where there is one. */
export function tokenizerConfig(path: string): string | undefined {
  const config = join(dirname(path), "tokenizer_config.json");
  return existsSync(config) ? config : undefined;
}

/** How a model takes texts. */
export async function textEncoding(
  flags: TextFlags,
  { model, file, maxLength }: { readonly model: Model; readonly file: string; readonly maxLength: number },
): Promise<TextEncoding> {
  const ids = model.inputs.find(({ name }) => name === "input_ids");
  const length = ids?.dimensions?.[1];
  const path = tokenizerFile(flags, file);
  const strange = otherVocabulary(parsed(path), model);
  if (strange !== undefined) say(`warning: ${path} ${strange}`);
  return {
    tokenizer: await open(path),
    maxLength,
    inputs: model.inputs.map(({ name }) => name),
    ...(typeof length === "number" && { length }),
  };
}

/** What tells that a tokenizer is of another model: the sizes of their vocabularies, of which tables may be filled up a bit. */
function otherVocabulary(
  { model: own, added_tokens: added }: Readonly<Record<string, unknown>>,
  { nodes, initializers }: Model,
): string | undefined {
  const vocabulary = isObject(own) ? own.vocab : undefined;
  const known = Array.isArray(vocabulary) ? vocabulary.length : Object.keys(vocabulary ?? {}).length;
  const count = known + (Array.isArray(added) ? added.length : 0);
  const lookup = nodes.find(({ op, inputs }) => op === "Gather" && inputs[1] === "input_ids");
  const rows = initializers.get(lookup?.inputs[0] ?? "")?.shape[0];
  if (rows === undefined || known === 0 || (count >= 0.9 * rows && known <= 1.1 * rows)) return undefined;
  return `knows ${known.toLocaleString("en")} tokens, and the model ${rows.toLocaleString("en")}: is it this model's own tokenizer? Another one's numbers mean other words to it.`;
}

async function open(path: string): Promise<TextTokenizer> {
  const { openTokenizer } = await import("../../data/text/encode-texts.ts");
  const config = tokenizerConfig(path);
  const [json, beside] = [parsed(path), config === undefined ? {} : parsed(config)];
  try {
    return await openTokenizer(json, beside);
  } catch (error) {
    throw new DataError(
      `${path} is no tokenizer that can be used (${error instanceof Error ? error.message : error}); give the tokenizer.json ` +
        "that Hugging Face's tokenizers save.",
      { source: path, cause: error },
    );
  }
}

function parsed(path: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw new DataError(
      `${path} is no JSON (${(error as Error).message}); give the file that the tokenizer was saved as.`,
      {
        source: path,
        cause: error,
      },
    );
  }
  throw new DataError(`${path} holds no JSON object; give the file that the tokenizer was saved as.`, {
    source: path,
  });
}
