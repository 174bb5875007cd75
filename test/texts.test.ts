/** Texts as inputs, held to transformers' encodings of odd texts (`test/cases/texts/make.py`). */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { encodeTexts, openTokenizer } from "../src/data/text/encode-texts.ts";
import { type LabelledText, textDataset } from "../src/data/text/text-dataset.ts";

const read = <Content>(name: string) =>
  JSON.parse(readFileSync(new URL(`cases/texts/${name}`, import.meta.url), "utf8")) as Content;

/** ids, mask and types, [texts, longest]. */
type Arrays = readonly [ids: number[][], mask: number[][], types: number[][]];

const { texts, encodings } = read<{
  readonly texts: readonly string[];
  readonly encodings: Readonly<Record<string, { readonly alone: Arrays; readonly pairs: Arrays }>>;
}>("encodings.golden.json");
const all = ["input_ids", "attention_mask", "token_type_ids", "position_ids"];

const open = (kind: string, config: Readonly<Record<string, unknown>> = {}) =>
  openTokenizer(read(`${kind}.golden.json`), {
    pad_token: kind === "wordpiece" ? "[PAD]" : "<pad>",
    ...config,
  });

describe("texts alone and in pairs, padded and cut off, are what transformers makes of them", () => {
  it.each(Object.entries(encodings))("%s", async (name, { alone, pairs }) => {
    const [kind = "", side, length] = name.split(" ");
    const tokenizer = await open(kind, { padding_side: side, truncation_side: side });
    for (const [rows, expected] of [
      [texts, alone],
      [texts.map((text, index) => [text, texts.at(-1 - index) ?? ""] as const), pairs],
    ] as const) {
      const encoded = encodeTexts(rows, { tokenizer, maxLength: Number(length), inputs: all });
      const { attention_mask, token_type_ids } = encoded.furtherInputs ?? {};
      const found = [encoded.inputs, attention_mask?.values, token_type_ids?.values];
      expect(found.map((values) => Array.from(values ?? []))).toEqual(expected.map((rows) => rows.flat()));
    }
  });
});

describe("labelled texts", () => {
  const rows: LabelledText[] = Array.from({ length: 10 }, (_, index) => ({
    text: index % 2 === 0 ? "a good film" : "bad! worst film ever",
    label: index % 2 === 0 ? "good" : "bad",
  }));

  it("are a dataset for the inputs that the model has", async () => {
    const tokenizer = await open("wordpiece");
    const options = { tokenizer, maxLength: 16, targets: "classes" } as const;
    const { train, test, classNames, classes, shownTexts } = textDataset(rows, options);
    expect([train.count, test.count, classes, classNames]).toEqual([8, 2, 2, ["bad", "good"]]);
    expect(Object.keys(train.furtherInputs ?? {})).toEqual(["attention_mask"]);
    expect(shownTexts).toEqual(rows.map(({ text }) => text));
    expect(train.furtherInputs?.attention_mask?.values.length).toBe(8 * (train.shape[0] ?? 0));
    const known = textDataset(rows, {
      ...options,
      classNames: ["good", "bad"],
      testFraction: 1,
      inputs: all,
    });
    expect(Array.from(known.test.labels).slice(0, 2)).toEqual([0, 1]);
    expect(Object.keys(known.test.furtherInputs ?? {})).toEqual(all.slice(1));
  });

  it("may have target values, and say what is wrong with them", async () => {
    const tokenizer = await open("unigram");
    const numbers = rows.map(({ text }, index) => ({ text, label: String(index / 2) }));
    const options = { tokenizer, maxLength: 16, testFraction: 1 } as const;
    const { test, classes } = textDataset(numbers, { ...options, targets: "values" });
    expect([classes, test.labels[3]]).toEqual([0, 1.5]);
    const wrong = (label: string, targets: "classes" | "values", classNames?: readonly string[]) => () =>
      textDataset([...rows.slice(1), { text: "", label }], { ...options, targets, classNames });
    expect(wrong("", "values")).toThrow("row 0 has the target 'bad', expected a number");
    expect(wrong("odd", "classes", ["bad", "good"])).toThrow(
      "row 9 has the label 'odd', expected one of bad, good",
    );
    expect(() => textDataset([], { ...options, targets: "classes" })).toThrow("No texts to encode");
    expect(() => textDataset(rows, { ...options, targets: "classes", inputs: ["pixel_values"] })).toThrow(
      "The model has the inputs pixel_values, expected 'input_ids'",
    );
  });
});
