/** Reads the texts that convnets are built from. */
import { SettingError } from "../errors/errors.ts";
import type { ActivationName } from "./activations.ts";
import type { PoolMode, Windows } from "./layers.ts";

/** One operation of an architecture text, and where it stands there. */
export interface Operation {
  readonly kind: Kind;
  readonly text: string;
  /** Place of its first character in the whole text. */
  readonly start: number;
}

type Kind =
  | { readonly op: "convolution"; readonly channels: number; readonly windows: Required<Windows> }
  | { readonly op: "pool"; readonly mode: PoolMode; readonly windows: Required<Windows> }
  | { readonly op: "activation"; readonly name: ActivationName }
  | { readonly op: "flatten" }
  /** Without a width: as many outputs as the data has classes. */
  | { readonly op: "linear"; readonly width?: number };

const activationsByText: Readonly<Record<string, ActivationName>> = {
  relu: "relu",
  tanh: "tanh",
  sigmoid: "sigmoid",
  leakyrelu: "leaky-relu",
  elu: "elu",
  softplus: "softplus",
  gelu: "gelu",
};

const allowed =
  "Allowed are Conv<channels>,<kernel>[,<stride>[,<padding>]], MaxPool<kernel>[,<stride>[,<padding>]], AvgPool likewise, " +
  "ReLU, Tanh, Sigmoid, LeakyReLU, ELU, Softplus, GELU, F (flatten) and FC<width>; - separates operations, -- blocks.";

/**
 * Reads an architecture such as `Conv64,3-ReLU--F-FC1024-ReLU--FC10`: `--` separates blocks, `-` the operations inside.
 * Upper and lower case are the same.
 *
 * @throws at the first part that makes no sense: points at it and says what is allowed
 */
export function parseArchitecture(text: string): Operation[][] {
  let start = 0;
  return text.split("--").map((block) => {
    const operations = block.split("-").map((part) => {
      const operation = { text: part, start };
      start += part.length + 1;
      return { ...operation, kind: parseKind(text, operation) };
    });
    start += 1;
    return operations;
  });
}

/** What is wrong with an architecture; its message has three lines, of which the last points at the character. */
export class ArchitectureError extends SettingError {}

/** An error that shows where in the architecture it is. */
export function architectureError(
  architecture: string,
  { text, start }: Pick<Operation, "text" | "start">,
  message: string,
): Error {
  const pointer = `${" ".repeat(start)}${"^".repeat(Math.max(text.length, 1))}`;
  return new ArchitectureError(
    `convnet: '${text}' at character ${start + 1}: ${message}\n  ${architecture}\n  ${pointer}`,
    { option: "convnet.architecture" },
  );
}

function parseKind(architecture: string, part: Pick<Operation, "text" | "start">): Kind {
  const fail = (message: string) => architectureError(architecture, part, message);
  const lower = part.text.toLowerCase();
  if (lower === "") throw fail(`there is no operation here. ${allowed}`);
  if (lower === "f") return { op: "flatten" };
  const activation = Object.hasOwn(activationsByText, lower) ? activationsByText[lower] : undefined;
  if (activation) return { op: "activation", name: activation };
  const [, word = "", list = ""] = /^(conv|maxpool|avgpool|fc)(.*)$/.exec(lower) ?? [];
  const numbers = list === "" ? [] : list.split(",");
  const isWhole = numbers.every((number) => /^\d{1,9}$/.test(number));
  const [first, second, third, fourth] = numbers.map(Number);
  if (word === "conv") {
    const windows = windowsOf(second, third, fourth, 1);
    if (isWhole && numbers.length <= 4 && isPositive(first) && windows)
      return { op: "convolution", channels: first, windows };
    throw fail(
      "a convolution is written Conv<channels>,<kernel>[,<stride>[,<padding>]] with whole numbers, all but the padding " +
        "from 1; for example Conv64,3.",
    );
  }
  if (word === "maxpool" || word === "avgpool") {
    const windows = windowsOf(first, second, third, first);
    // Otherwise some windows of a pool could lie in the padding alone.
    if (isWhole && numbers.length <= 3 && windows && 2 * windows.padding <= windows.kernel)
      return { op: "pool", mode: word === "maxpool" ? "max" : "average", windows };
    throw fail(
      "a pool is written MaxPool<kernel>[,<stride>[,<padding>]] or AvgPool likewise, with whole numbers, kernel and stride " +
        "from 1 and a padding of at most half the kernel; for example MaxPool2. The stride is the kernel if not given.",
    );
  }
  if (word === "fc") {
    if (numbers.length === 0) return { op: "linear" };
    if (isWhole && numbers.length === 1 && isPositive(first)) return { op: "linear", width: first };
    throw fail(
      "a fully connected layer is written FC<width> with a whole number from 1, for example FC128, or FC at the end for " +
        "as many outputs as the data has classes.",
    );
  }
  throw fail(`there is no such operation. ${allowed}`);
}

function windowsOf(
  kernel: number | undefined,
  stride: number | undefined,
  padding: number | undefined,
  defaultStride: number | undefined,
): Required<Windows> | undefined {
  const windows = { kernel: kernel ?? 0, stride: stride ?? defaultStride ?? 1, padding: padding ?? 0 };
  return windows.kernel >= 1 && windows.stride >= 1 ? windows : undefined;
}

function isPositive(value: number | undefined): value is number {
  return value !== undefined && value >= 1;
}
