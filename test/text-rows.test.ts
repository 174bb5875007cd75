/** Tables of texts that are read row by row: files of pandas (`test/cases/text-rows`), in parts of any size. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { StreamedExample } from "../src/data/example-stream.ts";
import { labelledTextStream, labelledTextsInParts } from "../src/data/node-table-rows.ts";
import { openTokenizer } from "../src/data/text/encode-texts.ts";
import { type LabelledText, textDataset } from "../src/data/text/text-dataset.ts";
import { textStreamDataset } from "../src/data/text/text-stream.ts";
import { labelledTexts } from "../src/data/text/text-table.ts";

const at = (name: string) => join(import.meta.dirname, "cases", "text-rows", name);
const columns = { text: "the text", pair: "pair", label: "label" };

async function all<Item>(items: AsyncIterable<Item> | Iterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe("a table that is read row by row", () => {
  it.each([
    "comma.csv",
    "semicolon.csv",
    "quoted.csv",
    "wide.csv",
    "packed.csv.gz",
    "lines.jsonl",
    "announced.csv",
  ])("%s holds what it holds read at once, in parts of any size", async (name) => {
    const whole = labelledTexts({ name, bytes: new Uint8Array(readFileSync(at(name))) }, columns);
    expect(whole).toHaveLength(40);
    for (const bytes of [150, 333, 1000, 1 << 20])
      expect(await all(labelledTextsInParts(at(name), columns, bytes))).toEqual(whole);
    expect(await all(labelledTextStream(at(name), columns))).toEqual(whole);
  });

  it("counts columns where they have no names", async () => {
    const options = { text: "1", pair: "2", label: "3", header: false };
    const name = "no-names.csv";
    const whole = labelledTexts({ name, bytes: new Uint8Array(readFileSync(at(name))) }, options);
    expect(await all(labelledTextsInParts(at(name), options, 333))).toEqual(whole);
  });

  it("names row and cause of what is wrong as the whole table does", async () => {
    const name = "short-row.csv";
    const read = () => labelledTexts({ name, bytes: new Uint8Array(readFileSync(at(name))) }, columns);
    const message = /row 33 has 2 fields, expected 3/;
    expect(read).toThrow(message);
    for (const bytes of [200, 1 << 20])
      await expect(all(labelledTextsInParts(at(name), columns, bytes))).rejects.toThrow(message);
    await expect(all(labelledTextStream(at("array.json"), columns))).rejects.toThrow(/one JSON array/);
    await expect(all(labelledTextStream(at("cut.csv.gz"), columns))).rejects.toThrow(/cannot be unpacked/);
    await expect(all(labelledTextStream(at("nowhere.csv"), columns))).rejects.toThrow(/cannot be read/);
    await expect(all(labelledTextStream(at("comma.csv"), { ...columns, text: "texts" }))).rejects.toThrow(
      /no column 'texts'/,
    );
    const picture = join(import.meta.dirname, "cases", "texts", "encoder.onnx");
    await expect(all(labelledTextStream(picture, columns))).rejects.toThrow(/encoder.onnx/);
  });
});

describe("texts as a stream", async () => {
  const json = JSON.parse(
    readFileSync(join(import.meta.dirname, "cases", "texts", "wordpiece.golden.json"), "utf8"),
  ) as Record<string, unknown>;
  const encoding = {
    tokenizer: await openTokenizer(json, { pad_token: "[PAD]" }),
    maxLength: 16,
    inputs: ["input_ids", "attention_mask", "token_type_ids"],
  };
  const rows = (): AsyncIterable<LabelledText> => labelledTextStream(at("comma.csv"), columns);

  it("are the examples that arrays of them hold, but for those set aside", async () => {
    const dataset = await textStreamDataset(rows, { ...encoding, targets: "classes", held: 4, buffer: 7 });
    expect(dataset).toMatchObject({
      classes: 2,
      classNames: ["down", "up"],
      stream: { count: 28, buffer: 7 },
    });
    expect([dataset.test.count, dataset.validation?.count]).toEqual([8, 4]);
    const whole = textDataset(await all(rows()), {
      ...encoding,
      length: 16,
      targets: "classes",
      testFraction: 1,
    });
    const keyOf = (ids: ArrayLike<number>, label: number) => [...Array.from(ids), label].join(" ");
    const keysOf = ({ inputs, labels, count }: typeof whole.test) =>
      Array.from({ length: count }, (_, row) =>
        keyOf(inputs.subarray(16 * row, 16 * row + 16), labels[row] as number),
      );
    const streamed = await all((dataset.stream?.stream(0) ?? []) as AsyncIterable<StreamedExample>);
    const keys = streamed.map(({ inputs, labels }) =>
      keyOf((inputs as Record<"input_ids", Float32Array>).input_ids, (labels as Int32Array)[0] as number),
    );
    expect(streamed).toHaveLength(28);
    expect(Object.keys(streamed[0]?.inputs ?? {})).toEqual(["input_ids", "attention_mask", "token_type_ids"]);
    const held = [...keysOf(dataset.test), ...keysOf(dataset.validation as typeof dataset.test)];
    expect([...keys, ...held].toSorted()).toEqual(keysOf(whole.test).toSorted());
  });

  it("are numbers with their mean and deviation", async () => {
    const numbered = async function* () {
      let number = 0;
      for await (const { text } of rows()) yield { text, label: 3 * (number++ % 5) };
    };
    const dataset = await textStreamDataset(numbered, { ...encoding, targets: "values" });
    const { mean, standardDeviation } = dataset.targetNormalization ?? { mean: [], standardDeviation: [] };
    expect([mean, standardDeviation].flat()[0]).toBeCloseTo(6, 12);
    expect([mean, standardDeviation].flat()[1]).toBeCloseTo(Math.sqrt(18), 12);
    await expect(textStreamDataset(rows, { ...encoding, targets: "values" })).rejects.toThrow(
      /comma\.csv: row 2 has the target 'down'/,
    );
    await expect(
      textStreamDataset(rows, { ...encoding, targets: "classes", classNames: ["up", "left"] }),
    ).rejects.toThrow(/has the label 'down', expected one of up, left/);
  });
});
