/** Tensors that stay where an engine computes: which there are, where they are, and what crossed. */
import { DeviceError, ModelError } from "../errors/errors.ts";
import { formatShape } from "../onnx/graph.ts";
import {
  bytesPerElement,
  type DType,
  elementCount,
  type Tensor,
  type TensorData,
  zeros,
} from "../onnx/tensor.ts";
import type { Residence } from "./runtime.ts";

/** As much of an engine's tensor as is used here. */
interface StoredTensor {
  readonly dims: readonly number[];
  dispose(): void;
}

/** How an engine's memory is taken and filled. */
export interface EngineMemory<EngineTensor> {
  readonly isApart: boolean;
  /** Whether memory can be taken yet. */
  isReady(): boolean;
  /** A tensor of zeros, or of numbers that the engine need not copy. */
  make(dtype: DType, shape: readonly number[]): EngineTensor;
  fill(stored: EngineTensor, numbers: TensorData): void;
  /** A copy of the numbers, in an array of the program's. */
  read(stored: EngineTensor, dtype: DType, count: number): Promise<TensorData>;
  compute?(code: string, words: Uint32Array, stored: EngineTensor, groups: number): void;
}

/**
 * For engines without a device of their own: what is held lies in the program's memory.
 *
 * @param wrap an engine's tensor of these numbers
 * @param numbersOf its numbers, in an array of the program's
 */
export function programMemory<EngineTensor extends { readonly data: unknown }>(
  wrap: (tensor: Tensor) => EngineTensor,
  numbersOf = ({ data }: EngineTensor) => data as TensorData,
): EngineMemory<EngineTensor> {
  return {
    isApart: false,
    isReady: () => true,
    make: (dtype, shape) => wrap(zeros(dtype, shape)),
    fill: (stored, numbers) => (stored.data as TensorData).set(numbers as never),
    read: async (stored) => numbersOf(stored).slice(),
  };
}

/** What a held tensor is: numbers that wait for the engine's memory, or what the engine stored. */
interface Held<EngineTensor> {
  numbers?: TensorData | undefined;
  stored?: EngineTensor | undefined;
}

/** The held tensors of one runtime. */
export class HeldTensors<EngineTensor extends StoredTensor> implements Residence {
  readonly crossed = { up: 0, down: 0 };
  readonly isApart: boolean;
  readonly compute?: Residence["compute"];
  readonly #held = new WeakMap<Tensor, Held<EngineTensor>>();
  readonly #memory: EngineMemory<EngineTensor>;

  constructor(memory: EngineMemory<EngineTensor>) {
    this.#memory = memory;
    this.isApart = memory.isApart;
    if (memory.compute)
      this.compute = (code, words, held, groups) => {
        this.crossed.up += words.byteLength;
        memory.compute?.(code, words, this.engineTensorOf(held), groups);
      };
  }

  hold(dtype: DType, shape: readonly number[]): Tensor {
    const held: Tensor = {
      ...{ dtype, shape },
      get data(): never {
        throw new DeviceError(
          `The numbers of a held ${dtype} tensor ${formatShape(shape)} are on the device; read them with the residence's read().`,
          { device: "held" },
        );
      },
    };
    this.#held.set(held, {});
    return held;
  }

  holds(tensor: Tensor): boolean {
    return this.#held.has(tensor);
  }

  write(tensor: Tensor, numbers: TensorData): void {
    const held = this.#of(tensor);
    const count = elementCount(tensor.shape);
    if (numbers.length !== count)
      throw new ModelError(
        `A held tensor ${formatShape(tensor.shape)} takes ${count} numbers, received ${numbers.length}.`,
      );
    this.crossed.up += numbers.byteLength;
    if (!this.#memory.isReady()) held.numbers = numbers.slice();
    else this.#memory.fill(this.engineTensorOf(tensor), numbers);
  }

  async read(tensor: Tensor): Promise<TensorData> {
    const { numbers } = this.#of(tensor);
    this.crossed.down += bytesOf(tensor);
    if (numbers) return numbers.slice();
    return this.#memory.read(this.engineTensorOf(tensor), tensor.dtype, elementCount(tensor.shape));
  }

  release(tensors: Iterable<Tensor>): void {
    for (const tensor of tensors) {
      this.#held.get(tensor)?.stored?.dispose();
      this.#held.delete(tensor);
    }
  }

  /** Where a held tensor is. @throws ModelError where it is none */
  engineTensorOf(tensor: Tensor): EngineTensor {
    const held = this.#of(tensor);
    held.stored ??= this.#memory.make(tensor.dtype, tensor.shape);
    if (held.numbers) this.#memory.fill(held.stored, held.numbers);
    held.numbers = undefined;
    return held.stored;
  }

  /** What a run wrote becomes the held tensor; what was before is the engine's again. @throws ModelError for another shape */
  replace(
    name: string,
    tensor: Tensor,
    { stored, numbers }: { stored?: EngineTensor; numbers?: Tensor },
  ): void {
    const held = this.#of(tensor);
    const shape = numbers?.shape ?? stored?.dims ?? [];
    if (String(shape) !== String(tensor.shape))
      throw new ModelError(
        `The output '${name}' has the shape ${formatShape(shape)}; the held tensor to write it into, ${formatShape(tensor.shape)}.`,
      );
    if (numbers) this.write(tensor, numbers.data);
    else if (held.stored !== stored) {
      held.stored?.dispose();
      held.stored = stored;
      held.numbers = undefined;
    }
  }

  /** Counts what a run was fed, or returned, apart from held tensors. */
  count(way: "up" | "down", tensors: Iterable<Tensor>): void {
    for (const tensor of tensors) if (!this.holds(tensor)) this.crossed[way] += bytesOf(tensor);
  }

  #of(tensor: Tensor): Held<EngineTensor> {
    const held = this.#held.get(tensor);
    if (held) return held;
    throw new ModelError(
      `A ${tensor.dtype} tensor ${formatShape(tensor.shape)} is not held by this runtime, or was released; hold() makes one that is.`,
    );
  }
}

function bytesOf({ dtype, shape }: Tensor): number {
  return elementCount(shape) * bytesPerElement(dtype);
}
