import { describe, expect, it } from "vitest";
import { DataError, ForwardgradError, ModelError, UnsupportedOpError } from "./errors.ts";
import { joined, option, words } from "./words.ts";

describe("words", () => {
  it("name options as code, and say where", () => {
    const advice = words`Lower it (${option("learningRate", 0.01)}), or leave ${option("momentum")} out.`;
    expect(advice.message).toBe("Lower it (learningRate: 0.01), or leave momentum out.");
    expect(advice.mentions.map(({ start, end }) => advice.message.slice(start, end))).toEqual([
      "learningRate: 0.01",
      "momentum",
    ]);
    expect(`${option("loss", "cross-entropy")}`).toBe('loss: "cross-entropy"');
    expect(`${option("ignore", ["size", "a b"])}`).toBe('ignore: ["size", "a b"]');
    expect(`${option("dimensions", { T: null, "a b": 2 })}`).toBe('dimensions: { T: …, "a b": 2 }');
    expect(`${option("header", false)}`).toBe("header: false");
  });

  it("keep the mentions of words and errors inside of them", () => {
    const inner = words`set ${option("learningRate")}`;
    const error = new DataError(words`file.csv: ${inner}; ${joined([inner, "end"], " and ")}`, { row: 3 });
    const outer = words`a${1}\n  b: ${error}`;
    expect(outer.message).toBe("a1 b: file.csv: set learningRate; set learningRate and end");
    expect(outer.mentions.map(({ start, end }) => outer.message.slice(start, end))).toEqual([
      "learningRate",
      "learningRate",
    ]);
  });

  it("leave line breaks that come from values alone", () => {
    expect(words`name ${"a\n  b"}`.message).toBe("name a\n  b");
  });
});

describe("errors", () => {
  it("are a family, hold what is concerned, and pass their cause on", () => {
    const cause = new Error("behind");
    const error = new UnsupportedOpError("no rule", { op: "Foo", node: "n1", source: "m.onnx", cause });
    expect(error).toBeInstanceOf(ModelError);
    expect(error).toBeInstanceOf(ForwardgradError);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ op: "Foo", domain: "", node: "n1", source: "m.onnx", cause });
    expect(error.name).toBe("UnsupportedOpError");
    expect("cause" in new DataError("text")).toBe(false);
  });
});
