import type { Tensor } from "../../onnx/tensor.ts";

/**
 * Whether a stored tensor is a module's buffer by its name and its numbers together, in files that say nothing of it, as
 * PyTorch's TorchScript exporter writes them, and its newer one what it computed itself. Either alone may mislead.
 */
export function isBuffer(name: string, { shape, data }: Tensor): boolean {
  const own = name.split(/[./]/).at(-1) ?? name;
  const kind = kinds.find(({ names }) => names.test(own));
  return kind !== undefined && data.length > 0 && kind.holds(data as Float32Array, shape.at(-1) ?? 1);
}

interface BufferKind {
  readonly names: RegExp;
  /** Whether numbers are of this kind; rows are of the last axis. */
  readonly holds: (numbers: Float32Array, columns: number) => boolean;
}

const kinds: readonly BufferKind[] = [
  // Statistics that a decomposed BatchNormalization reads.
  { names: /^running_(mean|var)$/, holds: () => true },
  // Rotary positions: falling frequencies, and the cosines and sines of their multiples, which begin at angle 0.
  {
    names: /inv_freq$/,
    holds: (numbers) => numbers.every((each, at) => each > 0 && each < (numbers[at - 1] ?? 2)),
  },
  {
    names: /^cos(_cached|_\d+)?$/,
    holds: (numbers, columns) => numbers.subarray(0, columns).every((each) => each === 1),
  },
  {
    names: /^sin(_cached|_\d+)?$/,
    holds: (numbers, columns) => numbers.subarray(0, columns).every((each) => each === 0),
  },
  // Sinusoidal positions, which begin with sin 0 and cos 0.
  {
    names: /^(pe|position(al)?_enc(oding)?s?)$/,
    holds: (numbers, columns) => numbers.subarray(0, columns).every((each) => each === 0 || each === 1),
  },
  // Masks hold two numbers; BART's bias of the logits is zero unless somebody set it.
  { names: /(mask|tril|attn_bias)$/, holds: (numbers) => new Set(numbers).size <= 2 },
  { names: /^final_logits_bias$/, holds: (numbers) => numbers.every((each) => each === 0) },
];
