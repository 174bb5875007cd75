/** Convolutional networks from a text. */
import type { Graph, Value } from "../onnx/graph.ts";
import { furtherRules } from "../ops/catalogue.ts";
import { text } from "../settings/option.ts";
import { activations } from "./activations.ts";
import { architectureError, type Operation, parseArchitecture } from "./architecture.ts";
import { convolution, linear, pool, type Windows } from "./layers.ts";
import {
  finishNetwork,
  imageShape,
  type ModelOptions,
  type Network,
  normalizedInput,
  startNetwork,
} from "./network.ts";
import { checkModel } from "./options.ts";

const ownOptions = { architecture: text({}) };

/** Options of `convnet`. */
export interface ConvnetOptions extends ModelOptions {
  /**
   * The operations in their order, for example `Conv64,3-ReLU--F-FC1024-ReLU--FC10`: `-` separates operations, `--`
   * blocks. Conv<channels>,<kernel>[,<stride>[,<padding>]]; MaxPool<kernel>[,<stride>[,<padding>]] and AvgPool (the stride
   * is the kernel if not given); ReLU, Tanh, Sigmoid, LeakyReLU, ELU, Softplus, GELU; F (flatten); FC<width>, or FC for as
   * many outputs as there are classes. Default: `defaultArchitecture`.
   */
  readonly architecture?: string;
}

/**
 * Two strided convolutions and a linear layer, for images of at least 19×19. Large strides leave few activations for
 * tangents to cover, 1,050 for MNIST: the fewer they are, the less noisy is a forward gradient (bench/README.md).
 */
export const defaultArchitecture = "Conv16,7,4,2-ReLU--Conv64,5,2-ReLU--F-FC";

/**
 * A convolutional network from a text: input [batch, channels, height, width] → `logits` [batch, outputs]. Blocks:
 * `block1`, `block2`, …; the parameters are named as in PyTorch's Sequential of Sequentials, by block and by the place of
 * the operation in it: `block1.0.weight`, ….
 *
 * Initialized as PyTorch's Conv2d and Linear: weights and biases uniform in ±1/√fanIn.
 *
 * @throws SettingError for an unknown option, with the nearest one, and a wrong value; also when the text makes no sense or does not fit the images: points at the wrong part and says what is allowed
 */
export function convnet(options: ConvnetOptions): Graph {
  checkModel("convnet", ownOptions, options);
  const { architecture = defaultArchitecture, outputs } = options;
  const blocks = parseArchitecture(architecture);
  imageShape("convnet", options);
  const network = startNetwork(`convnet ${architecture}`, options, furtherRules);
  const { g } = network;
  let x = network.input;
  for (const [index, operations] of blocks.entries()) {
    const name = `block${index + 1}`;
    x = g.block(name, () => {
      let y = index === 0 ? normalizedInput(network) : x;
      for (const [position, operation] of operations.entries())
        y = append(network, y, operation, `${name}.${position}`, architecture);
      return y;
    });
  }
  const last = blocks.at(-1)?.at(-1);
  if (last && (x.shape.length !== 2 || x.shape[1] !== outputs)) {
    throw architectureError(
      architecture,
      last,
      `the network ends with the shape [batch, ${x.shape.slice(1).join(", ")}], expected [batch, ${outputs}] for ` +
        `${outputs} classes; end it with FC or FC${outputs}, after an F.`,
    );
  }
  return finishNetwork(network, x);
}

function append(network: Network, x: Value, operation: Operation, name: string, architecture: string): Value {
  const { kind, text } = operation;
  const [, ...shape] = x.shape;
  const fail = (message: string) => architectureError(architecture, operation, message);
  switch (kind.op) {
    case "activation":
      return activations[kind.name](network.g, x);
    case "flatten":
      return network.g.flatten(x);
    case "linear":
      if (shape.length === 1) return linear(network, x, name, kind.width ?? network.options.outputs);
      throw fail(
        `a fully connected layer reads flat numbers, and what comes here has the shape [${shape.join(", ")}]; put F ` +
          `before it: F-${text}.`,
      );
    default:
      if (shape.length !== 3)
        throw fail("convolutions and pools read images, and this one comes after an F; put F behind it.");
      if (!fits(kind.windows, shape))
        throw fail(
          `its window of ${kind.windows.kernel} pixels is larger than the image of ${shape.slice(1).join("×")} that comes ` +
            "here; use a smaller kernel, more padding, or smaller strides before it.",
        );
      return kind.op === "pool"
        ? pool(network, x, kind.mode, kind.windows)
        : convolution(network, x, name, kind.channels, kind.windows);
  }
}

function fits({ kernel, padding = 0 }: Windows, [, ...sides]: readonly number[]): boolean {
  return sides.every((side) => kernel <= side + 2 * padding);
}
