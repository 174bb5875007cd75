/** Texts as a model's inputs: token numbers, with mask, types and positions where the model takes them, as Hugging Face's tokenizers give them. */
import { DataError } from "../../errors/errors.ts";
import type { Examples } from "../dataset.ts";

/** A text, or a pair of them. */
export type TextRow = string | readonly [text: string, pair: string];

/** As much of Hugging Face's Tokenizer as is used; its own types import without extensions, which strict projects refuse. */
interface Tokenizer {
  encode(text: string, options: { readonly add_special_tokens: boolean }): { readonly tokens: string[] };
  token_to_id(token: string): number | undefined;
  decode?(ids: number[]): string;
  readonly post_processor?:
    | {
        post_process(
          first: string[],
          second?: string[],
        ): { readonly tokens: string[]; readonly token_type_ids?: number[] };
      }
    | null
    | undefined;
  readonly model?: { readonly unk_token_id?: number | undefined } | null | undefined;
}

/** A tokenizer with what its files say beside the tokens. */
export interface TextTokenizer {
  /** What splits texts, without limits of length. */
  readonly tokenizer: Tokenizer;
  /** Number of the token that fills up shorter texts. */
  readonly padding: number;
  /** On which side. */
  readonly paddingSide: "left" | "right";
  /** Which side of a long text is kept: `right` cuts its end off. */
  readonly truncationSide: "left" | "right";
  /** Whether the second text of a pair is of another type. */
  readonly hasTypes: boolean;
  /** Whether words that are given one by one begin with a space, as in byte-level vocabularies. */
  readonly hasSpaces: boolean;
}

/**
 * Opens a tokenizer.json.
 *
 * @param json its content, parsed @param config that of the tokenizer_config.json beside it, where there is one
 */
export async function openTokenizer(
  json: Readonly<Record<string, unknown>>,
  config: Readonly<Record<string, unknown>> = {},
): Promise<TextTokenizer> {
  // Loaded only here: pages and commands without texts do without.
  const { Tokenizer: Opened } = await import("@huggingface/tokenizers");
  const tokenizer = new Opened(json, config);
  const said = config.pad_token as string | { readonly content: string } | undefined;
  const name = typeof said === "object" ? said?.content : said;
  const own = json.padding as { readonly pad_id?: number } | null | undefined;
  const usual = ["[PAD]", "<pad>", "<|endoftext|>", "</s>"].map((token) => tokenizer.token_to_id(token));
  const padding =
    (name === undefined ? own?.pad_id : tokenizer.token_to_id(name)) ??
    usual.find((id) => id !== undefined) ??
    0;
  const isLeft = (side: unknown) => (side === "left" ? "left" : "right");
  const post = json.post_processor as { readonly type?: string } | null | undefined;
  return {
    tokenizer,
    padding,
    paddingSide: isLeft(config.padding_side),
    truncationSide: isLeft(config.truncation_side),
    // Rust's RobertaProcessing gives both texts type 0.
    hasTypes: post?.type !== "RobertaProcessing",
    hasSpaces: JSON.stringify(json.pre_tokenizer ?? {}).includes('"ByteLevel"'),
  };
}

/** The numbers of one text's tokens, and the type of each. */
export interface Encoded {
  readonly ids: readonly number[];
  readonly types: readonly number[];
}

/** One row in at most `maxLength` tokens: of a pair, the longer text is cut first. */
function encodeRow(
  { tokenizer, truncationSide, hasTypes }: TextTokenizer,
  row: TextRow,
  maxLength: number,
): Encoded {
  const [text, pair] = typeof row === "string" ? [row, undefined] : row;
  const plain = (each: string) => tokenizer.encode(each, { add_special_tokens: false }).tokens;
  const [all, others] = [plain(text), pair === undefined ? undefined : plain(pair)];
  const post = tokenizer.post_processor;
  const finish = (first: string[], second?: string[]): { tokens: string[]; token_type_ids?: number[] } =>
    post ? post.post_process(first, second) : { tokens: [...first, ...(second ?? [])] };
  const added = finish(all, others).tokens.length - all.length - (others?.length ?? 0);
  const [most, mostOfPair] = sharesOf(Math.max(0, maxLength - added), all.length, others?.length);
  const cut = (tokens: string[], most: number) =>
    truncationSide === "left" ? tokens.slice(Math.max(0, tokens.length - most)) : tokens.slice(0, most);
  const { tokens, token_type_ids: types } = finish(cut(all, most), others && cut(others, mostOfPair));
  const ids = tokens.map((token) => tokenizer.token_to_id(token) ?? tokenizer.model?.unk_token_id ?? 0);
  return { ids, types: hasTypes && types ? types : ids.map(() => 0) };
}

/** Words in at most `maxLength` tokens, and which of them are the first piece of a word: its number, or else −1. */
export function encodeWords(
  { tokenizer, truncationSide, hasSpaces }: TextTokenizer,
  words: readonly string[],
  maxLength: number,
): Encoded & { readonly words: readonly number[] } {
  const pieces = words.flatMap((word, index) =>
    tokenizer
      .encode(hasSpaces ? ` ${word}` : word, { add_special_tokens: false })
      .tokens.map((token, at) => ({ token, word: at === 0 ? index : -1 })),
  );
  const post = (tokens: string[]) => tokenizer.post_processor?.post_process(tokens).tokens ?? tokens;
  const probe = post(["", ""]);
  const most = Math.max(0, maxLength - probe.length + 2);
  const kept = truncationSide === "left" ? pieces.slice(-most || pieces.length) : pieces.slice(0, most);
  const tokens = post(kept.map(({ token }) => token));
  const before = probe.indexOf("");
  return {
    ids: tokens.map((token) => tokenizer.token_to_id(token) ?? tokenizer.model?.unk_token_id ?? 0),
    types: tokens.map(() => 0),
    words: tokens.map((_, at) => kept[at - before]?.word ?? -1),
  };
}

/** How many tokens of each text are kept: the shorter one keeps its own while it has at most half of the budget. */
function sharesOf(budget: number, first: number, second: number | undefined): readonly [number, number] {
  if (second === undefined) return [budget, 0];
  const isSwapped = first > second;
  const shorter = Math.min(first, second);
  let [few, many] = [shorter, shorter > budget ? shorter : Math.max(shorter, budget - shorter)];
  if (few + many > budget) {
    few = Math.floor(budget / 2);
    many = few + (budget % 2);
  }
  return isSwapped ? [many, few] : [few, many];
}

/** How texts become inputs. */
export interface TextEncoding {
  /** The model's own, of `openTokenizer`. */
  readonly tokenizer: TextTokenizer;
  /** Tokens of the longest text at most; longer ones are cut off. */
  readonly maxLength: number;
  /** Fills all texts up to so many tokens, for models that take one length. Default: the longest text's. */
  readonly length?: number;
  /** Names of the model's inputs, of which known ones are filled. Default: `input_ids` and `attention_mask`. */
  readonly inputs?: readonly string[];
}

/** What can be filled of a row with so many tokens before it. */
const known = ["input_ids", "attention_mask", "token_type_ids", "position_ids"] as const;

/**
 * Encodes texts as inputs [longest of them], padded and cut off as Hugging Face's tokenizers do it.
 *
 * @throws DataError where there is no text, or the model takes no token numbers
 */
export function encodeTexts(rows: readonly TextRow[], encoding: TextEncoding): Omit<Examples, "labels"> {
  const most = mostTokens(encoding);
  const { tokenizer } = encoding;
  return encodedInputs(
    rows.map((row) => encodeRow(tokenizer, row, most)),
    encoding,
  );
}

/** Tokens of a text at most. */
export function mostTokens({ maxLength, length }: TextEncoding): number {
  return Math.min(maxLength, length ?? maxLength);
}

/** Where a text of so many tokens begins in an example. */
export function startOf({ tokenizer }: TextEncoding, length: number, tokens: number): number {
  return tokenizer.paddingSide === "left" ? length - tokens : 0;
}

/**
 * Encoded texts as inputs [longest of them], filled up.
 *
 * @throws DataError where there is no text, or the model takes no token numbers
 */
export function encodedInputs(encoded: readonly Encoded[], encoding: TextEncoding): Omit<Examples, "labels"> {
  const { tokenizer, length: fixed, inputs = ["input_ids", "attention_mask"] } = encoding;
  if (encoded.length === 0) throw new DataError("No texts to encode; give at least one.");
  if (!inputs.includes("input_ids")) {
    throw new DataError(
      `The model has the inputs ${inputs.join(", ") || "none"}, expected 'input_ids' among them, which texts feed; export it with ` +
        "the names that transformers gives.",
    );
  }
  const length = fixed ?? encoded.reduce((longest, { ids }) => Math.max(longest, ids.length), 1);
  const array = (fill: number, numberAt: (row: Encoded, at: number) => number) => {
    const values = new Float32Array(encoded.length * length).fill(fill);
    for (const [index, row] of encoded.entries()) {
      const start = index * length + startOf(encoding, length, row.ids.length);
      for (let at = 0; at < row.ids.length; at++) values[start + at] = numberAt(row, at);
    }
    return { shape: [length], values };
  };
  const parts = {
    input_ids: array(tokenizer.padding, ({ ids }, at) => ids[at] as number),
    attention_mask: array(0, () => 1),
    token_type_ids: array(0, ({ types }, at) => types[at] as number),
    position_ids: array(0, (_, at) => at),
  };
  const further = known.filter((name) => name !== "input_ids" && inputs.includes(name));
  return {
    count: encoded.length,
    shape: [length],
    inputs: parts.input_ids.values,
    furtherInputs: Object.fromEntries(further.map((name) => [name, parts[name]])),
  };
}
