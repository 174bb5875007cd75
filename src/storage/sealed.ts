import * as z from "zod/mini";
import { StorageError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import { fingerprint } from "./run-config.ts";
import { type RunStore, readFilled } from "./run-store.ts";

/** Writes plain data as JSON, with the SHA-256 by which a later reader knows it as it was. */
export async function writeSealed(store: RunStore, name: string, content: unknown): Promise<void> {
  const sealed = { sha256: await sealOf(content), content };
  await store.write(name, new TextEncoder().encode(`${JSON.stringify(sealed, undefined, 1)}\n`));
}

/**
 * Reads what `writeSealed` wrote. Files of version 0.1.0 hold the content alone, and are read as well.
 *
 * @param schema what the content must be
 * @returns undefined where there is no such file
 * @throws when it is damaged, naming the file
 */
export async function readSealed<T>(
  store: RunStore,
  name: string,
  schema: z.ZodMiniType<T>,
): Promise<T | undefined> {
  const bytes = await readFilled(store, name);
  if (!bytes) return undefined;
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    const sealed = z.object({ sha256: z.string(), content: z.unknown() }).safeParse(value);
    if (sealed.success && (await sealOf(sealed.data.content)) !== sealed.data.sha256)
      throw new Error("it does not match its own checksum");
    const parsed = schema.safeParse(sealed.success ? sealed.data.content : value);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw new Error(`'${issue?.path.join(".")}' is missing or out of bounds`);
  } catch (cause) {
    throw new StorageError(
      words`${store.describe}/${name} is damaged (${(cause as Error).message}); restore it, or start again in another
        folder (${option("store")}).`,
      { path: `${store.describe}/${name}`, cause },
    );
  }
}

function sealOf(content: unknown): Promise<string> {
  return fingerprint(new TextEncoder().encode(JSON.stringify(content)));
}
