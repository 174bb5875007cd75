/** Labels of words and next tokens: goldens of seqeval, tokenizers and transformers (`goldens/tokens.py`). */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { IGNORED_LABEL } from "../src/data/dataset.ts";
import { conllSentences } from "../src/data/text/conll.ts";
import { encodeWords, openTokenizer } from "../src/data/text/encode-texts.ts";
import { nextTokenDataset, tokenDataset } from "../src/data/text/token-dataset.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { areEntities, EntityTally } from "../src/metrics/entities.ts";
import { rememberData } from "../src/objective/model-data.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { loadModel } from "../src/storage/node-model.ts";
import { evaluateModel } from "../src/train/evaluation/evaluate-model.ts";
import { train } from "../src/train/train.ts";
import { lastJson, run, temporaryFolder } from "./cli.ts";

interface Golden {
  readonly entities: readonly {
    readonly truth: readonly string[][];
    readonly taken: readonly string[][];
    readonly precision: number;
    readonly recall: number;
    readonly f1: number;
  }[];
  readonly sentences: readonly { readonly words: string[]; readonly labels: string[] }[];
  readonly aligned: readonly {
    readonly tokenizer: string;
    readonly length: number;
    readonly rows: readonly { readonly ids: number[]; readonly labels: (string | null)[] }[];
  }[];
  readonly decoder: {
    readonly text: string;
    readonly length: number;
    readonly blocks: number;
    readonly perplexity: number;
  };
}

const here = import.meta.dirname;
const golden = JSON.parse(readFileSync(join(here, "goldens", "tokens.golden.json"), "utf8")) as Golden;
const texts = (name: string) => join(here, "cases", "texts", name);
const tokenizerOf = (name: string) =>
  openTokenizer(JSON.parse(readFileSync(texts(`${name}.golden.json`), "utf8")));
const runtime = nodeRuntime({ threads: 1 });
/** The worst mistakes of a run's report. */
const mistakesOf = (folder: string) =>
  (
    JSON.parse(readFileSync(join(folder, "report.json"), "utf8")) as {
      readonly after: {
        readonly mistakes: readonly {
          readonly example: number;
          readonly truth: number;
          readonly around: Readonly<Record<"before" | "own" | "after", string>>;
          readonly names?: readonly string[];
        }[];
      };
    }
  ).after.mistakes;
const source = (content: string) => ({ name: "words.conll", bytes: new TextEncoder().encode(content) });

describe("entities", () => {
  it("are counted as seqeval counts them", () => {
    for (const { truth, taken, ...scores } of golden.entities) {
      const tally = new EntityTally();
      for (const [row, labels] of truth.entries()) tally.add(labels, taken[row] ?? []);
      const { precision, recall, f1 } = tally.metrics();
      expect(precision).toBeCloseTo(scores.precision, 12);
      expect(recall).toBeCloseTo(scores.recall, 12);
      expect(f1).toBeCloseTo(scores.f1, 12);
    }
    expect(new EntityTally().metrics()).toEqual({ precision: 0, recall: 0, f1: 0, support: 0 });
  });

  it("are known by their labels", () => {
    expect(areEntities(["O", "B-PER", "I-PER"])).toBe(true);
    expect(areEntities(["NOUN", "VERB", "O"])).toBe(false);
    expect(areEntities(["O"])).toBe(false);
  });
});

describe("labels of words", () => {
  it.each(golden.aligned)(
    "stand at first pieces of $tokenizer, as transformers lays them",
    async (aligned) => {
      const tokenizer = await tokenizerOf(aligned.tokenizer);
      const { length } = aligned;
      for (const [row, { words }] of golden.sentences.entries())
        expect(encodeWords(tokenizer, words, length).ids).toEqual(aligned.rows[row]?.ids);
      const data = tokenDataset(golden.sentences, { tokenizer, maxLength: length, testFraction: 1 });
      const [longest = 0] = data.test.shape;
      for (const [row, { labels }] of aligned.rows.entries()) {
        const own = [...data.test.labels.subarray(row * longest, (row + 1) * longest)];
        const named = own.map((label) => (label === IGNORED_LABEL ? null : data.classNames?.[label]));
        expect(named).toEqual([...labels, ...Array(longest - labels.length).fill(null)]);
      }
    },
  );

  it("are read from columns, without comments and marks of documents", () => {
    const text = "# global = 1\n-DOCSTART- X O\n\n# sent = a b\nEU NNP B-ORG\nrejects VBZ O\n\n# SYM O\n";
    expect(conllSentences(source(text))).toMatchObject([
      { words: ["EU", "rejects"], labels: ["B-ORG", "O"] },
      { words: ["#"], labels: ["O"] },
    ]);
    expect(conllSentences(source("1\tEU\tNNP\n"), { word: 2 })).toMatchObject([
      { words: ["EU"], labels: ["NNP"] },
    ]);
    expect(conllSentences(source(text)).map(({ at }) => at)).toEqual([
      "words.conll, line 5",
      "words.conll, line 8",
    ]);
    expect(() => conllSentences(source("a O\nb c O\n"))).toThrow(
      "words.conll, line 2 has 3 columns, expected 2 as in the lines before",
    );
    expect(() => conllSentences(source("a O\n"), { word: 4 })).toThrow(
      /has 2 columns, and text: 4 is none of them/,
    );
    expect(() => conllSentences(source("\n\n"))).toThrow("words.conll has no sentences");
    // "Jürgen B-PER" in Latin-1: a decoder that forgives learns another name.
    const bytes = Uint8Array.from([...Buffer.from("a O\nJ"), 0xfc, ...Buffer.from("rgen B-PER\n")]);
    expect(() => conllSentences({ name: "words.conll", bytes })).toThrow(
      /words\.conll: the file is no UTF-8 text \(byte 0xfc in row 2, which is 'ü'/,
    );
  });
});

describe("a file of words", () => {
  const read = (name: string) =>
    conllSentences({ name, bytes: new Uint8Array(readFileSync(join(here, "cases", "tokens", name))) });

  it("is the same in UTF-16, gzipped, and with other ends of lines", () => {
    const plain = read("words.conll").map(({ words, labels }) => ({ words, labels }));
    for (const name of ["words-utf16.conll", "words.conll.gz", "words-cr.conll", "words-crlf.conll"])
      expect(read(name)).toMatchObject(plain);
    expect(() => read("words-no-mark.conll")).toThrow(/UTF-16 without a byte order mark/);
    expect(() => read("words.conll.xz")).toThrow(/the file is xz, expected columns of words/);
  });

  it("may come with others to validate on, and names what is wrong in them where it stands", async () => {
    const tokenizer = await tokenizerOf("wordpiece");
    const given = read("words.conll");
    const options = { tokenizer, maxLength: 16 };
    const dataset = tokenDataset(given, {
      ...options,
      test: given.slice(0, 2),
      validation: given.slice(0, 3),
    });
    expect([dataset.train.count, dataset.test.count, dataset.validation?.count]).toEqual([
      given.length,
      2,
      3,
    ]);
    const other = [{ words: ["a"], labels: ["B-NEW"], at: "held.conll, line 4" }];
    expect(() => tokenDataset(given, { ...options, validation: other })).toThrow(
      "held.conll, line 4 has the label 'B-NEW'",
    );
    const text = "one two three ".repeat(60);
    const next = nextTokenDataset(text, { ...options, validation: text });
    expect(next.validation?.count).toBe(next.train.count + next.test.count);
  });
});

describe("plain text", () => {
  const path = join(here, "goldens", "adapters", "decoder.onnx");
  const { text, length, blocks, perplexity } = golden.decoder;

  it("has the perplexity that transformers measures, which adapters of a decoder lower", async () => {
    const tokenizer = await tokenizerOf("bpe");
    const options = { tokenizer, maxLength: length, testFraction: 1 };
    const data = nextTokenDataset(text, options);
    expect(data.test.count).toBe(blocks);
    const known = { texts: { kind: "next-token", text: "", maxLength: length } } as const;
    const model = rememberData(loadModel(path), known);
    const measured = { parameters: {}, examples: data.test, loss: crossEntropy(), runtime };
    const before = await evaluateModel({ model, ...measured });
    expect(before.perplexity).toBeCloseTo(perplexity, 2);
    expect(Math.exp(before.loss)).toBe(before.perplexity);
    let after: Uint8Array | undefined;
    for await (const event of train({
      ...{ model, examples: data.test, runtime, adapter: { rank: 2 }, optimizer: "adam", learningRate: 0.02 },
      ...{ steps: 30, batch: 16, validation: 0, tangents: 8 },
    }))
      if (event.kind === "done") after = event.model;
    const trained = decodeModel(after as Uint8Array);
    const learned = await evaluateModel({ model: trained, ...measured });
    expect(learned.perplexity).toBeLessThan(0.97 * perplexity);
  });

  it("is refused where it is shorter than a block, or not in the model's tokens", async () => {
    const tokenizer = await tokenizerOf("bpe");
    expect(() => nextTokenDataset("hello", { tokenizer, maxLength: 64 })).toThrow(
      /the text has \d+ tokens, expected at least one block of 64; give more text, or shorter blocks \(maxLength\)/,
    );
    expect(() => nextTokenDataset(text, { tokenizer, maxLength: 8, classes: 20 })).toThrow(
      /the tokenizer has a token \d+, and the model tells 20 apart/,
    );
  });
});

/** A folder as hubs have it. */
function hub(encoder: string, tokenizer: string): { readonly folder: string; readonly model: string } {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "onnx"));
  const model = join(folder, "onnx", "model.onnx");
  copyFileSync(encoder, model);
  copyFileSync(texts(`${tokenizer}.golden.json`), join(folder, "tokenizer.json"));
  return { folder, model };
}

describe("the command line", { timeout: 120_000 }, () => {
  it("learns labels of words, tells entity F1, predicts words, and leaves a folder for transformers.js", async () => {
    const { folder, model } = hub(texts("encoder.onnx"), "wordpiece");
    writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify({ pad_token: "[PAD]" }));
    const out = join(folder, "run");
    const data = ["--data", "conll", "--data-file", join(here, "cases", "tokens", "words.conll")];
    const course = [
      "--beside-head",
      "all",
      "--optimizer",
      "adam",
      "--lr",
      "0.02",
      "--epochs",
      "20",
      "--batch",
      "16",
    ];
    const trained = run(["train", "--model", model, ...data, "--head", ...course, "--out", out, "--json"]);
    expect(trained.stderr).toMatch(/inputs: 'input_ids' int64 \[16, \d+\]/);
    expect(trained.stderr).toMatch(/epoch 20 .*entity F1 \d/);
    const evaluated = lastJson(run(["eval", join(out, "model.onnx"), ...data, "--json"]).stdout);
    expect(evaluated.testAccuracy).toBeGreaterThan(0.9);
    expect((evaluated.entities as { f1: number }).f1).toBeGreaterThan(0.8);
    expect(readFileSync(join(out, "report.html"), "utf8")).toContain("entity F1");
    const sentences = conllSentences({
      name: "words.conll",
      bytes: new Uint8Array(readFileSync(join(here, "cases", "tokens", "words.conll"))),
    });
    const early = run([
      "train",
      "--model",
      model,
      ...data,
      "--head",
      "--steps",
      "1",
      "--out",
      `${out}-early`,
    ]);
    expect(early.status).toBe(0);
    const mistakes = mistakesOf(`${out}-early`);
    expect(mistakes.length).toBe(12);
    expect(new Set(mistakes.map(({ example }) => example)).size).toBe(12);
    for (const { example, truth, around } of mistakes) {
      const { words = [], labels = [] } = sentences[example] ?? {};
      const [before, own, after] = [around.before, around.own, around.after];
      expect([before, own, after].filter((part) => part !== "").join(" ")).toBe(words.join(" "));
      const word = before === "" ? 0 : before.split(" ").length;
      expect(labels[word]).toBe(["B-LOC", "B-PER", "O"][truth]);
    }
    const asked = join(folder, "asked.conll");
    writeFileSync(asked, "hello O\ngood O\nworld O\n\nmat O\n");
    const rows = run(["predict", out, "--data-file", asked, "--json"])
      .stdout.trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { tokens: string; prediction: string[] });
    expect(rows.map(({ tokens, prediction }) => [tokens, prediction])).toEqual([
      ["hello good world", ["B-PER", "O", "B-LOC"]],
      ["mat", ["O"]],
    ]);
    const { env, pipeline } = await import("@huggingface/transformers");
    env.allowRemoteModels = false;
    env.localModelPath = out;
    const tag = await pipeline("token-classification", "transformers");
    const found = (await tag("hello good world")) as readonly { entity: string; word: string }[];
    expect(found.map(({ word, entity }) => [word, entity])).toEqual([
      ["hello", "B-PER"],
      // The first piece of world, which has its label.
      ["wor", "B-LOC"],
    ]);
    await tag.dispose();
  });

  it("measures and lowers perplexity, says what predict is not for, and leaves what transformers.js measures alike", async () => {
    const { folder, model } = hub(join(here, "goldens", "adapters", "decoder.onnx"), "bpe");
    const book = join(folder, "book.txt");
    writeFileSync(book, golden.decoder.text);
    const data = ["--data", "next-token", "--data-file", book, "--max-length", "8"];
    const out = join(folder, "run");
    const course = [
      "--adapter",
      "lora",
      "--optimizer",
      "adam",
      "--lr",
      "0.02",
      "--steps",
      "20",
      "--batch",
      "8",
    ];
    const trained = run(["train", "--model", model, ...data, ...course, "--out", out]);
    expect(trained.stderr).toMatch(/perplexity \d/);
    expect(readFileSync(join(out, "report.html"), "utf8")).toContain("perplexity");
    const mistakes = mistakesOf(out);
    expect(mistakes.length).toBeGreaterThan(0);
    for (const { around, names } of mistakes) {
      expect(golden.decoder.text).toContain(`${around.before}${around.own}${around.after}`);
      expect(names?.[0]).toBe(around.own);
    }
    // The run knows its tokenizer and its text.
    const evaluated = run(["eval", out, "--json"]);
    expect(evaluated.stderr).toContain("The run's own test examples");
    const { perplexity } = lastJson(evaluated.stdout) as { perplexity: number };
    expect(perplexity).toBeGreaterThan(1);
    const predicted = run(["predict", out, "--data-file", book]);
    expect([predicted.status, predicted.stderr]).toEqual([1, expect.stringContaining("its perplexity")]);

    expect(trained.stderr).toContain("which AutoModelForCausalLM runs");
    const { AutoModelForCausalLM, AutoTokenizer, env } = await import("@huggingface/transformers");
    env.allowRemoteModels = false;
    env.localModelPath = out;
    const tokenizer = await AutoTokenizer.from_pretrained("transformers");
    const theirs = await AutoModelForCausalLM.from_pretrained("transformers");
    const { input_ids } = await tokenizer(golden.decoder.text, { add_special_tokens: false });
    const ids = Array.from(input_ids.data as BigInt64Array, Number);
    // What each token of a block of 8 is followed by, over all blocks of the text.
    let [sum, count] = [0, 0];
    for (let start = 0; start + 8 <= ids.length; start += 8) {
      const block = input_ids.slice(null, [start, start + 8]);
      const attention_mask = input_ids.slice(null, [start, start + 8]).map(() => 1n);
      const { logits } = await theirs({ input_ids: block, attention_mask });
      const classes = logits.dims.at(-1) as number;
      for (let at = 0; at < 7; at++) {
        const row = [...logits.data.slice(at * classes, (at + 1) * classes)] as number[];
        sum += Math.log(row.reduce((all, x) => all + Math.exp(x), 0)) - (row[ids[start + at + 1] ?? 0] ?? 0);
        count++;
      }
    }
    await theirs.dispose();
    const whole = run(["eval", out, "--test-fraction", "1", "--json"]);
    expect(whole.stderr).toContain("not the examples that the model's run was tested on");
    expect(lastJson(whole.stdout).perplexity).toBeCloseTo(Math.exp(sum / count), 2);
  });
});
