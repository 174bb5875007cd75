import { bytesOf, type Tensor } from "../onnx/tensor.ts";
import type { Arrays } from "../optim/optimizer.ts";
import type { Progress } from "./progress.ts";
import type { RunStore } from "./run-store.ts";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.ts";

/** Everything that a run needs to go on as if it had never stopped. */
export interface Checkpoint {
  readonly parameters: Readonly<Record<string, Tensor>>;
  readonly optimizer: Arrays;
  /** The parameters with the best validation loss so far, where early stopping keeps them. */
  readonly best?: Readonly<Record<string, Tensor>>;
  readonly progress: Progress;
}

/** The checkpoint in a run folder. */
export const checkpointFile = "checkpoint/state.safetensors";

/** Writes a checkpoint, atomically. Its metadata carry the SHA-256 of all tensors. */
export async function saveCheckpoint(store: RunStore, checkpoint: Checkpoint): Promise<void> {
  const prefixed = (prefix: string, values: Readonly<Record<string, Tensor>> = {}) =>
    Object.fromEntries(Object.entries(values).map(([name, tensor]) => [`${prefix}/${name}`, tensor]));
  const tensors = {
    ...prefixed("parameter", checkpoint.parameters),
    ...prefixed("best", checkpoint.best),
    ...Object.fromEntries(
      Object.entries(checkpoint.optimizer).map(([name, data]) => [
        `optimizer/${name}`,
        { dtype: "float32", shape: [data.length], data } as Tensor,
      ]),
    ),
  };
  const progress = JSON.stringify(checkpoint.progress);
  const sha256 = await digest(tensors, progress);
  await store.write(checkpointFile, encodeSafetensors(tensors, { progress, sha256 }));
}

/** Reads the checkpoint of a run; undefined where there is none. @throws when it is damaged. */
export async function loadCheckpoint(store: RunStore): Promise<Checkpoint | undefined> {
  const bytes = await store.read(checkpointFile);
  if (!bytes) return undefined;
  const source = `${store.describe}/${checkpointFile}`;
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
  const best = Object.fromEntries(pick("best/"));
  return {
    parameters: Object.fromEntries(pick("parameter/")),
    best: Object.keys(best).length > 0 ? best : undefined,
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
