import { describe, expect, it } from "vitest";
import { convnet } from "./convnet.ts";

const mnist = { input: [1, 28, 28], outputs: 10 };

describe("convnet", () => {
  it("names parameters and blocks by their places in the architecture", () => {
    const graph = convnet({ ...mnist, architecture: "Conv4,3-ReLU--MaxPool2-F-FC8-Tanh--FC" });
    const shapes = graph.parameters.map((name) => `${name} [${graph.values.get(name)?.shape.join(", ")}]`);
    expect(shapes).toEqual([
      "block1.0.weight [4, 1, 3, 3]",
      "block1.0.bias [4]",
      "block2.2.weight [8, 676]",
      "block2.2.bias [8]",
      "block3.0.weight [10, 8]",
      "block3.0.bias [10]",
    ]);
    expect(graph.nodes.map(({ name, op }) => `${name.split("/")[0]} ${op}`)).toEqual([
      "block1 Conv",
      "block1 Relu",
      "block2 MaxPool",
      "block2 Flatten",
      "block2 Gemm",
      "block2 Tanh",
      "block3 Gemm",
      "logits Identity",
    ]);
  });

  for (const [architecture, start, length, message] of [
    ["Conv4,3--FC10", 9, 4, "put F before it: F-FC10"],
    ["F-Conv4,3-FC10", 2, 7, "put F behind it"],
    ["F-MaxPool2-FC10", 2, 8, "put F behind it"],
    ["Conv4,29--F-FC", 0, 8, "larger than the image of 28×28"],
    ["MaxPool14-Conv4,3--F-FC", 10, 7, "larger than the image of 2×2"],
    ["F-FC128-ReLU", 8, 4, "[batch, 128], expected [batch, 10] for 10 classes; end it with FC or FC10"],
    ["F-FC12", 2, 4, "end it with FC or FC10"],
    ["Conv10,3", 0, 8, "[batch, 10, 26, 26], expected [batch, 10]"],
  ] as const) {
    it(`points at what does not fit in '${architecture}'`, () => {
      expect(() => convnet({ ...mnist, architecture })).toThrow(message);
      const pointer = `\n  ${architecture}\n  ${" ".repeat(start)}${"^".repeat(length)}`;
      expect(() => convnet({ ...mnist, architecture })).toThrow(pointer);
    });
  }

  it("takes padding into account", () => {
    const { outputs } = convnet({
      input: [1, 2, 2],
      outputs: 3,
      architecture: "Conv2,4,1,1-AvgPool1--F-FC",
    });
    expect(outputs[0]?.shape).toEqual([1, 3]);
  });
});
