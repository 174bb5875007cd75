/** The memory of a page's graphics device, where tensors stay, and shaders of ours that fill them. */
import { DeviceError } from "../errors/errors.ts";
import { bytesPerElement, type DType, dataFromBytes, elementCount, type TensorData } from "../onnx/tensor.ts";
import type { EngineMemory } from "./residence.ts";

/** As much of a GPUDevice as is used here. */
export interface GraphicsDevice {
  readonly lost?: Promise<{ readonly message: string; readonly reason: string }>;
  readonly queue: {
    writeBuffer(buffer: GraphicsBuffer, offset: number, data: TensorData): void;
    submit(commands: readonly object[]): void;
  };
  createBuffer(options: { size: number; usage: number }): GraphicsBuffer;
  createShaderModule(options: { code: string }): object;
  createComputePipeline(options: object): Pipeline;
  createBindGroup(options: object): object;
  createCommandEncoder(): {
    copyBufferToBuffer(
      from: GraphicsBuffer,
      at: number,
      to: GraphicsBuffer,
      start: number,
      bytes: number,
    ): void;
    beginComputePass(): {
      setPipeline(pipeline: object): void;
      setBindGroup(index: number, group: object): void;
      dispatchWorkgroups(x: number, y: number): void;
      end(): void;
    };
    finish(): object;
  };
}

interface GraphicsBuffer {
  mapAsync(mode: number): Promise<void>;
  getMappedRange(): ArrayBuffer;
  destroy(): void;
}

interface Pipeline {
  getBindGroupLayout(index: number): object;
}

// GPUBufferUsage: storage, and copies from and to it; what the program reads, and copies to it. GPUMapMode.
const forStorage = 0x80 | 0x04 | 0x08;
const forReading = 0x01 | 0x08;
const mapRead = 0x01;

/** Workgroups along one axis. */
const mostGroups = 65_535;

/** As much of the engine's tensors as is used here. */
export interface PageTensor {
  readonly gpuBuffer: unknown;
  readonly data: unknown;
}

/** How the engine takes a buffer of the device as a tensor. */
export type FromBuffer<EngineTensor> = (
  buffer: unknown,
  options: { dataType: DType; dims: readonly number[]; dispose: () => void },
) => EngineTensor;

/** Does what waits for the device, and fails when the device is lost. */
export type WhileThere = <Result>(work: () => Promise<Result>) => Promise<Result>;

/** Places in the memory of the device that the engine computes on, once it has one. */
export function onGraphicsDevice<EngineTensor extends PageTensor>(
  fromBuffer: FromBuffer<EngineTensor>,
  deviceNow: () => GraphicsDevice | undefined,
  whileThere: WhileThere,
): EngineMemory<EngineTensor> {
  const pipelines = new WeakMap<GraphicsDevice, Map<string, Pipeline>>();
  const device = (): GraphicsDevice => {
    const now = deviceNow();
    if (now) return now;
    throw new DeviceError(
      "Tensors are held by a device that a runtime's first graph opens; compile one before.",
      {
        device: "webgpu",
      },
    );
  };
  // The engine copies in units of 16 bytes.
  const paddedTo = (bytes: number) => 16 * Math.ceil(Math.max(1, bytes) / 16);
  const bufferOf = (bytes: number, usage = forStorage) =>
    device().createBuffer({ size: paddedTo(bytes), usage });
  return {
    isApart: true,
    isReady: () => deviceNow() !== undefined,
    make(dtype: DType, shape: readonly number[]) {
      const bytes = elementCount(shape) * bytesPerElement(dtype);
      const buffer = bufferOf(bytes);
      return fromBuffer(buffer, { dataType: dtype, dims: shape, dispose: () => buffer.destroy() });
    },
    fill(stored, numbers) {
      device().queue.writeBuffer(stored.gpuBuffer as never, 0, numbers);
    },
    async read(stored, dtype, count) {
      const bytes = count * bytesPerElement(dtype);
      const copy = bufferOf(bytes, forReading);
      try {
        const encoder = device().createCommandEncoder();
        encoder.copyBufferToBuffer(stored.gpuBuffer as never, 0, copy, 0, paddedTo(bytes));
        device().queue.submit([encoder.finish()]);
        await whileThere(() => copy.mapAsync(mapRead));
        return dataFromBytes(dtype, new Uint8Array(copy.getMappedRange().slice(0, bytes)));
      } finally {
        copy.destroy();
      }
    },
    compute(code, words, stored, groups) {
      const own = device();
      const known = pipelines.get(own) ?? new Map<string, Pipeline>();
      pipelines.set(own, known);
      const pipeline =
        known.get(code) ??
        own.createComputePipeline({
          layout: "auto",
          compute: { module: own.createShaderModule({ code }), entryPoint: "main" },
        });
      known.set(code, pipeline);
      const buffer = bufferOf(words.byteLength);
      own.queue.writeBuffer(buffer, 0, words);
      const entries = [buffer, stored.gpuBuffer].map((each, binding) => ({
        binding,
        resource: { buffer: each },
      }));
      const group = own.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
      const encoder = own.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(Math.min(groups, mostGroups), Math.ceil(groups / mostGroups));
      pass.end();
      own.queue.submit([encoder.finish()]);
      buffer.destroy();
    },
  };
}
