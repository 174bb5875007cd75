import { bytesOf } from "../onnx/tensor.ts";
import type { RunStore } from "./run-store.ts";

/** Plain description of a run, kept as config.json; two runs with equal configurations compute the same. */
export type RunConfig = Readonly<Record<string, string | number | boolean | null>>;

/** Settings that change last bits but not what is computed; a resumed run may change them when told. */
const reproducibility = new Set(["threads", "tangentChunk", "runtime"]);

/**
 * Compares a run's configuration with the one in its store, and writes it where there is none.
 *
 * @returns true when the store holds this run already
 * @throws when the store holds another run, or holds this one and `resume` is not set
 */
export async function claimStore(
  store: RunStore,
  config: RunConfig,
  options: { readonly resume: boolean; readonly allowChanges: boolean },
): Promise<boolean> {
  const bytes = await store.read("config.json");
  const write = () =>
    store.write("config.json", new TextEncoder().encode(`${JSON.stringify(config, undefined, 2)}\n`));
  if (!bytes) {
    await write();
    return false;
  }
  const kept = parseConfig(bytes, store);
  if (!options.resume) {
    throw new Error(
      `${store.describe} already holds a run. Go on with it (--resume), or choose another folder (--out).`,
    );
  }
  const changed = Object.keys({ ...kept, ...config }).filter((name) => kept[name] !== config[name]);
  const fatal = changed.filter((name) => !(options.allowChanges && reproducibility.has(name)));
  if (fatal.length > 0) {
    const list = fatal
      .map((name) => `${name} was ${kept[name] ?? "unset"}, now ${config[name] ?? "unset"}`)
      .join("; ");
    const remedy = fatal.every((name) => reproducibility.has(name))
      ? "The result could differ in its last bits: use the same settings, or say --allow-changes."
      : "Use the same settings, or choose another folder (--out).";
    throw new Error(`${store.describe} holds a run with other settings: ${list}. ${remedy}`);
  }
  if (changed.length > 0) await write();
  return true;
}

function parseConfig(bytes: Uint8Array, store: RunStore): RunConfig {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as RunConfig;
  } catch (cause) {
    throw new Error(
      `${store.describe}/config.json is damaged (${(cause as Error).message}); restore it, or choose another folder (--out).`,
      { cause },
    );
  }
}

/** SHA-256 of some data, in hexadecimal. */
export async function fingerprint(
  ...parts: readonly (Uint8Array | Float32Array | Int32Array)[]
): Promise<string> {
  const hashes = await Promise.all(parts.map((part) => crypto.subtle.digest("SHA-256", bytesOf(part))));
  const joined = Uint8Array.from(hashes.flatMap((hash) => [...new Uint8Array(hash)]));
  const hash = await crypto.subtle.digest("SHA-256", joined);
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
