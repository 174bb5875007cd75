/** What a trained model of texts needs beside it: its tokenizer, and for transformers.js a configuration and the layout of hubs. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isArrayOf } from "../arrays/kind.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Model } from "../onnx/read-model.ts";
import { dtypeFromNumber, isHalf } from "../onnx/tensor.ts";
import { intAttribute } from "../ops/view.ts";
import { isObject } from "../settings/option.ts";
import { transformersModels } from "../storage/own-files.ts";
import type { RunStore } from "../storage/run-store.ts";
import { tokenizerConfig, tokenizerFile } from "./flags/text-data.ts";

/** What a model of texts is run for, as transformers.js calls it. */
export type TextTask =
  | "text-classification"
  | "token-classification"
  | "feature-extraction"
  | "text-generation";

/** A trained model of texts. */
export interface TextModel {
  /** As it was before it was trained. */
  readonly model: Model;
  /** The file that it came from. */
  readonly file: string;
  readonly tokenizer: string | undefined;
  readonly dataset: Pick<Dataset, "classNames" | "texts">;
  /** What it says of a text, or of each token; or its embedding, or how it goes on. */
  readonly task: TextTask;
  /** The trained model, an ONNX file. */
  readonly bytes: Uint8Array;
}

type Json = Readonly<Record<string, unknown>>;

const classOf = {
  "text-classification": "ForSequenceClassification",
  "token-classification": "ForTokenClassification",
  "feature-extraction": "Model",
  "text-generation": "ForCausalLM",
} as const satisfies Record<TextTask, string>;

/** How a file without a configuration is run: by the names of its inputs. */
const unnamed: Readonly<Record<"encoder" | "decoder", Json>> = {
  encoder: { model_type: "bert" },
  decoder: { model_type: "gpt2", architectures: ["GPT2LMHeadModel"] },
};

/**
 * Writes the folder `transformers` of a run, which transformers.js, and Hugging Face's hub, take as a model; or, of a model
 * that they do not run, its tokenizer beside the trained file.
 *
 * @returns what to say of it: where it is and how it is run, or why there is none
 */
export async function leaveForTransformers(store: RunStore, given: TextModel): Promise<string> {
  const { model, bytes, task } = given;
  const [output] = model.outputs;
  const isEmbedding = task === "feature-extraction";
  const isRun = output?.name === "logits" || isEmbedding;
  const path = tokenizerFile({ tokenizer: given.tokenizer }, given.file);
  const write = (name: string, content: Uint8Array | Json) =>
    store.write(
      isRun ? `transformers/${name}` : name,
      isArrayOf("Uint8Array", content)
        ? content
        : new TextEncoder().encode(`${JSON.stringify(content, undefined, 2)}\n`),
    );
  await write("tokenizer.json", new Uint8Array(readFileSync(path)));
  await write("tokenizer_config.json", tokenizerSettings(path, given.dataset));
  if (!isRun)
    return `There is no folder for transformers.js, which reads an output 'logits', and this model's is '${output?.name}'; its tokenizer is beside it.`;
  const dtype = dtypeOf(given);
  await write(`onnx/model${transformersModels[dtype]}.onnx`, bytes);
  await write("config.json", modelSettings(given, dtype));
  const run = isEmbedding
    ? output?.name === "logits"
      ? 'which pipeline("feature-extraction", …) runs, with { normalize: true } at each call'
      : `which AutoModel runs: its output '${output?.name}' is the embedding`
    : task === "text-generation"
      ? `which AutoModelForCausalLM runs${hasCache(model) ? "" : "; pipelines need a cache of keys and values (past_key_values) to go on beyond a first token, which this model has not"}`
      : `which pipeline("${task}", …) runs`;
  return `for transformers.js: ${join(store.describe, "transformers")}, ${run}`;
}

function hasCache({ inputs }: Model): boolean {
  return inputs.some(({ name }) => name.startsWith("past_key_values"));
}

/** The configuration that lies beside the file or above it, with the labels' names. */
function modelSettings({ file, dataset, task }: TextModel, dtype: keyof typeof transformersModels): Json {
  const beside = [join(dirname(file), "config.json"), join(dirname(file), "..", "config.json")];
  const isDecoder = task === "text-generation";
  const base =
    beside.map(jsonIn).find((found) => typeof found?.model_type === "string") ??
    unnamed[isDecoder ? "decoder" : "encoder"];
  const [written] = Array.isArray(base.architectures) ? (base.architectures as unknown[]) : [];
  const kind = typeof written === "string" ? written.replace(/(For[A-Z]\w*|LMHeadModel|Model)$/, "") : "Bert";
  const names = dataset.classNames ?? ["value"];
  const own = base["transformers.js_config"];
  return {
    ...base,
    architectures: isDecoder && written !== undefined ? [written] : [`${kind}${classOf[task]}`],
    ...((task === "text-classification" || task === "token-classification") && {
      id2label: Object.fromEntries(names.map((name, index) => [String(index), name])),
      label2id: Object.fromEntries(names.map((name, index) => [name, index])),
      problem_type: dataset.classNames ? "single_label_classification" : "regression",
    }),
    "transformers.js_config": { ...(isObject(own) ? own : {}), use_external_data_format: false, dtype },
  };
}

/** The tokenizer's own settings, which cut texts off where training did (transformers.js without the closing special token). */
function tokenizerSettings(path: string, { texts }: TextModel["dataset"]): Json {
  const config = tokenizerConfig(path);
  const own = (config === undefined ? undefined : jsonIn(config)) ?? {};
  return {
    tokenizer_class: "PreTrainedTokenizerFast",
    ...padding(path),
    ...own,
    ...(texts && { model_max_length: texts.maxLength }),
  };
}

/** The token that fills up texts, where nothing beside the tokenizer names it. */
function padding(path: string): Json {
  const { padding: own, added_tokens: added } = jsonIn(path) ?? {};
  if (isObject(own) && typeof own.pad_token === "string") return { pad_token: own.pad_token };
  const names = (Array.isArray(added) ? (added as unknown[]) : []).flatMap((token) =>
    isObject(token) && typeof token.content === "string" ? [token.content] : [],
  );
  const found = ["[PAD]", "<pad>", "<|endoftext|>", "</s>"].find((name) => names.includes(name));
  return found === undefined ? {} : { pad_token: found };
}

function jsonIn(path: string): Json | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const found: unknown = JSON.parse(readFileSync(path, "utf8"));
    return isObject(found) ? (found as Json) : undefined;
  } catch {
    // Of somebody else, and no JSON.
    return undefined;
  }
}

/** How transformers.js calls the numbers that a file stores: by its name, or by what it holds. */
export function dtypeOf({ file, model }: Pick<TextModel, "file" | "model">): keyof typeof transformersModels {
  const named = Object.entries(transformersModels).find(
    ([, suffix]) => suffix !== "" && file.endsWith(`${suffix}.onnx`),
  );
  if (named) return named[0] as keyof typeof transformersModels;
  const stored = (model.file?.proto ?? model.proto).graph?.initializer ?? [];
  const hasHalves = stored.some(({ dataType }) => {
    const dtype = dtypeFromNumber(dataType);
    return dtype !== undefined && isHalf(dtype);
  });
  const blocks = model.nodes.find(({ op }) => op === "MatMulNBits");
  if (blocks && intAttribute(blocks, "bits", 4) === 4) return hasHalves ? "q4f16" : "q4";
  const isRounded = model.nodes.some(({ op }) => /Integer$|QuantizeLinear$|^DequantizeLinear$/.test(op));
  return blocks || isRounded ? "q8" : hasHalves ? "fp16" : "fp32";
}
