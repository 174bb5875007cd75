import { bytesOf, type Tensor } from "../onnx/tensor.ts";
import type { Arrays } from "../optim/optimizer.ts";
import type { RunStore } from "./run-store.ts";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.ts";

/** Everything that a run needs to go on as if it had never stopped. */
export interface Checkpoint {
  readonly parameters: Readonly<Record<string, Tensor>>;
  readonly optimizer: Arrays;
  readonly progress: Progress;
}

/** Plain numbers of a run in progress. */
export interface Progress {
  /** Steps done. */
  readonly step: number;
  /** Bytes of metrics.jsonl that belong to these steps. */
  readonly metricsBytes: number;
  /** Losses since the last line of the metrics. */
  readonly windowLoss: number;
  readonly windowSteps: number;
  /** Losses since the epoch began. */
  readonly epochLoss: number;
  readonly epochSteps: number;
  /** Mean loss of the last complete epoch. */
  readonly lastEpochLoss: number;
  /** Wall time of the steps, for the report. */
  readonly timedSeconds: number;
  readonly timedSteps: number;
  /** Loss of the very first step; the divergence guard compares with it. */
  readonly firstLoss: number;
  /** The run's result, once it is complete. */
  readonly result?: unknown;
}

const file = "checkpoint/state.safetensors";

/** Writes a checkpoint, atomically. Its metadata carry the SHA-256 of all tensors. */
export async function saveCheckpoint(store: RunStore, checkpoint: Checkpoint): Promise<void> {
  const tensors = {
    ...Object.fromEntries(
      Object.entries(checkpoint.parameters).map(([name, tensor]) => [`parameter/${name}`, tensor]),
    ),
    ...Object.fromEntries(
      Object.entries(checkpoint.optimizer).map(([name, data]) => [
        `optimizer/${name}`,
        { dtype: "float32", shape: [data.length], data } as Tensor,
      ]),
    ),
  };
  const progress = JSON.stringify(checkpoint.progress);
  const sha256 = await digest(tensors, progress);
  await store.write(file, encodeSafetensors(tensors, { progress, sha256 }));
}

/** Reads the checkpoint of a run; undefined where there is none. @throws when it is damaged. */
export async function loadCheckpoint(store: RunStore): Promise<Checkpoint | undefined> {
  const bytes = await store.read(file);
  if (!bytes) return undefined;
  const source = `${store.describe}/${file}`;
  const remedy =
    "The checkpoint was damaged after it was written: restore it from a backup, or start again in another folder (--out).";
  let decoded: ReturnType<typeof decodeSafetensors>;
  try {
    decoded = decodeSafetensors(bytes, source);
  } catch (cause) {
    throw new Error(`${(cause as Error).message} ${remedy}`, { cause });
  }
  const { tensors, metadata } = decoded;
  const progress = metadata.progress ?? "";
  if (metadata.sha256 !== (await digest(tensors, progress))) {
    throw new Error(`${source} does not match its own checksum. ${remedy}`);
  }
  const pick = (prefix: string) =>
    Object.entries(tensors).flatMap(([name, tensor]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), tensor] as const] : [],
    );
  return {
    parameters: Object.fromEntries(pick("parameter/")),
    optimizer: Object.fromEntries(
      pick("optimizer/").map(([name, tensor]) => [name, tensor.data as Float32Array]),
    ),
    progress: JSON.parse(progress) as Progress,
  };
}

async function digest(tensors: Readonly<Record<string, Tensor>>, progress: string): Promise<string> {
  const parts = [new TextEncoder().encode(progress)];
  for (const [name, tensor] of Object.entries(tensors).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const hash = await crypto.subtle.digest("SHA-256", bytesOf(tensor.data));
    parts.push(new TextEncoder().encode(`${name}:${hexadecimal(hash)};`));
  }
  const joined = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let place = 0;
  for (const part of parts) {
    joined.set(part, place);
    place += part.length;
  }
  return hexadecimal(await crypto.subtle.digest("SHA-256", joined));
}

function hexadecimal(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
