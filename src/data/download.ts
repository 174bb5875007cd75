import { gunzip, isGzip } from "./idx.ts";
import type { FileCache, FileStore, RemoteFiles } from "./store.ts";

/** The part of the web's `fetch` that a download needs. */
export type FetchLike = (
  url: string,
  options: { signal: AbortSignal },
) => Promise<{
  readonly ok: boolean;
  readonly status: number;
  readonly statusText: string;
  arrayBuffer(): Promise<ArrayBuffer>;
}>;

export interface DownloadOptions {
  readonly files: RemoteFiles;
  readonly cache: FileCache;
  readonly fetch: FetchLike;
  /** How long one mirror may take for one file before the next is tried. Default 120. */
  readonly timeoutSeconds?: number;
  /** Receives one line for each thing worth knowing: a download that begins, a cached file that is damaged. */
  readonly report?: (line: string) => void;
}

/**
 * A store that downloads its files once. Each file is fetched as `<mirror><name>.gz`, mirrors in turn; what
 * counts is the SHA-256 of the uncompressed bytes, which is checked for cached files as well. A cached file
 * that does not match is downloaded again.
 * Names are those of `files.sha256`; reading any other name gives undefined.
 * @throws (from read) when every mirror fails: an Error with each mirror's reason.
 */
export function downloadStore(options: DownloadOptions): FileStore {
  const { files, cache, report = () => {} } = options;
  return {
    describe: `download from ${files.mirrors.join(", ")}`,
    async read(name) {
      const expected = Object.hasOwn(files.sha256, name) ? files.sha256[name] : undefined;
      if (expected === undefined) return undefined;
      const cached = await cache.read(name);
      if (cached !== undefined) {
        if ((await sha256(cached)) === expected) return cached;
        report(`${name} in ${cache.describe} is damaged: downloading it again`);
      }
      const bytes = await downloadFile(name, expected, options, report);
      try {
        await cache.write(name, bytes);
      } catch (error) {
        report(`${name} cannot be kept in ${cache.describe} (${reason(error)}): it will be downloaded again`);
      }
      return bytes;
    },
  };
}

/** SHA-256 in lower-case hexadecimal. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function downloadFile(
  name: string,
  expected: string,
  options: DownloadOptions,
  report: (line: string) => void,
): Promise<Uint8Array> {
  const failures: string[] = [];
  for (const mirror of options.files.mirrors) {
    const url = `${mirror}${name}.gz`;
    report(`downloading ${url}`);
    try {
      return await downloadFrom(url, expected, options);
    } catch (error) {
      failures.push(`  ${url}: ${reason(error)}`);
    }
  }
  throw new Error(
    `${name}: no mirror gave the file:\n${failures.join("\n")}\n` +
      "Check the network, or get the dataset's files by hand and pass their folder with --data-dir",
  );
}

async function downloadFrom(
  url: string,
  expected: string,
  { fetch, timeoutSeconds = 120 }: DownloadOptions,
): Promise<Uint8Array> {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutSeconds * 1000) });
  if (!response.ok) throw new Error(`HTTP status ${response.status} ${response.statusText}`.trim());
  const received = new Uint8Array(await response.arrayBuffer());
  // A mirror that sets Content-Encoding has its file decompressed by fetch already.
  const bytes = isGzip(received) ? await gunzip(received, "the answer") : received;
  const actual = await sha256(bytes);
  if (actual !== expected) {
    throw new Error(`SHA-256 of the ${bytes.length} uncompressed bytes is ${actual}, expected ${expected}`);
  }
  return bytes;
}

/** An error's message; fetch puts the telling part into the cause. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && !error.message.includes(error.cause.message)
    ? `${error.message} (${error.cause.message})`
    : error.message;
}
