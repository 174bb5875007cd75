/** Samples of the ops in products/recurrent.ts. */
import { type Attribute, int, string } from "../../../onnx/graph.ts";
import { tensorOf } from "../../../onnx/tensor.ts";
import { type Sample, samplesOf, x } from "../sample.ts";

const strings = (value: readonly string[]): Attribute => ({ type: "strings", value });

/** Three steps of two examples with two inputs and two hidden numbers. */
function layers(gates: number, activations: readonly string[]): Sample[] {
  const weights = (directions: number) => [
    x([directions, gates * 2, 2], -1, 1),
    x([directions, gates * 2, 2], -1, 1),
  ];
  const bias = (directions: number) => x([directions, gates * 4], -1, 1);
  const state = (directions: number) => x([directions, 2, 2], -1, 1);
  const outputs = gates === 4 ? 3 : 2;
  const cell = (directions: number) => (gates === 4 ? [state(directions)] : []);
  const size = { hidden_size: int(2) };
  return [
    { inputs: [x([3, 2, 2]), ...weights(1)], attributes: size, outputs },
    {
      inputs: [x([3, 2, 2]), ...weights(1), bias(1), tensorOf("int32", [3, 3], [2]), state(1), ...cell(1)],
      attributes: { ...size, direction: string("reverse") },
      outputs,
    },
    {
      inputs: [x([2, 2, 2]), ...weights(2), bias(2), undefined, state(2), ...cell(2)],
      attributes: {
        ...size,
        direction: string("bidirectional"),
        activations: strings([...activations, ...activations.map(() => "Sigmoid")]),
      },
      outputs,
    },
    { inputs: [x([1, 2, 2]), ...weights(1), bias(1)], attributes: size, outputs: 1 },
    // Sequences of several lengths
    ...["forward", "bidirectional"].map((direction) => {
      const count = direction === "forward" ? 1 : 2;
      const lengths = tensorOf("int32", [2, 3], [2]);
      return {
        inputs: [x([3, 2, 2]), ...weights(count), bias(count), lengths, state(count), ...cell(count)],
        attributes: { ...size, direction: string(direction) },
        outputs,
      };
    }),
  ];
}

export const recurrent = samplesOf({
  GRU: [
    ...layers(3, ["Sigmoid", "Tanh"]),
    ...layers(3, ["Sigmoid", "Tanh"]).map((sample) => ({
      ...sample,
      attributes: { ...sample.attributes, linear_before_reset: int(1) },
    })),
  ],
  LSTM: [
    ...layers(4, ["Sigmoid", "Tanh", "Tanh"]),
    // With peepholes.
    {
      inputs: [
        x([3, 2, 2]),
        x([1, 8, 2], -1, 1),
        x([1, 8, 2], -1, 1),
        x([1, 16], -1, 1),
        undefined,
        x([1, 2, 2], -1, 1),
        x([1, 2, 2], -1, 1),
        x([1, 6], -1, 1),
      ],
      attributes: { hidden_size: int(2) },
      outputs: 3,
    },
  ],
  RNN: layers(1, ["Tanh"]),
});
