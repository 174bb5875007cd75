import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Operation, parseArchitecture } from "./architecture.ts";

const kinds = (text: string) => parseArchitecture(text).map((block) => block.map(({ kind }) => kind));

describe("architecture texts", () => {
  it("are read block by block, with PyTorch's defaults", () => {
    expect(kinds("Conv64,3-ReLU--F-FC1024-ReLU--FC10")).toEqual([
      [
        { op: "convolution", channels: 64, windows: { kernel: 3, stride: 1, padding: 0 } },
        { op: "activation", name: "relu" },
      ],
      [{ op: "flatten" }, { op: "linear", width: 1024 }, { op: "activation", name: "relu" }],
      [{ op: "linear", width: 10 }],
    ]);
    expect(kinds("conv8,5,2,1-maxpool3,2,1-AVGPOOL2-leakyReLU--f-fc")).toEqual([
      [
        { op: "convolution", channels: 8, windows: { kernel: 5, stride: 2, padding: 1 } },
        { op: "pool", mode: "max", windows: { kernel: 3, stride: 2, padding: 1 } },
        { op: "pool", mode: "average", windows: { kernel: 2, stride: 2, padding: 0 } },
        { op: "activation", name: "leaky-relu" },
      ],
      [{ op: "flatten" }, { op: "linear" }],
    ]);
  });

  it("know where each operation stands", () => {
    const word = fc.constantFrom("Conv8,3", "MaxPool2", "ReLU", "GELU", "F", "FC10", "FC");
    const blocks = fc.array(fc.array(word, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(blocks, (words) => {
        const text = words.map((block) => block.join("-")).join("--");
        const parsed: Operation[][] = parseArchitecture(text);
        expect(parsed.map((block) => block.map((operation) => operation.text))).toEqual(words);
        for (const { text: part, start } of parsed.flat())
          expect(text.slice(start, start + part.length)).toBe(part);
      }),
      { seed: 1 },
    );
  });

  for (const [text, start, length, message] of [
    ["Conv64-ReLU--FC10", 0, 6, "Conv<channels>,<kernel>"],
    ["Conv64,3-Relo--FC10", 9, 4, "there is no such operation. Allowed are Conv"],
    ["Conv0,3", 0, 7, "from 1"],
    ["Conv4,3,0", 0, 9, "from 1"],
    ["Conv4,3,1,1,1", 0, 13, "Conv<channels>,<kernel>"],
    ["Conv4,3x3", 0, 9, "whole numbers"],
    ["Conv4,-1", 0, 6, "whole numbers"],
    ["F-FC10--MaxPool", 8, 7, "for example MaxPool2"],
    ["MaxPool2,2,2", 0, 12, "at most half the kernel"],
    ["F-FC1.5", 2, 5, "FC<width>"],
    ["F-FC0", 2, 3, "from 1"],
    ["ReLU---F", 6, 1, "there is no operation here"],
    ["F-", 2, 1, "there is no operation here"],
    ["", 0, 1, "there is no operation here"],
    ["F-constructor", 2, 11, "there is no such operation"],
  ] as const) {
    it(`point at the wrong part of '${text}'`, () => {
      expect(() => parseArchitecture(text)).toThrow(message);
      const pointer = `\n  ${text}\n  ${" ".repeat(start)}${"^".repeat(length)}`;
      expect(() => parseArchitecture(text)).toThrow(pointer);
    });
  }
});
