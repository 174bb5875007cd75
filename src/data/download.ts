/** Downloads with checksums, kept in a store. */
import { DataError } from "../errors/errors.ts";
import { joined, option, type Words, words } from "../errors/words.ts";
import { howToRaise, type Limits, limitsWith } from "../limits/limits.ts";
import { sha256 } from "../storage/sha256.ts";
import { gunzip, isGzip, joinChunks } from "./files/gzip.ts";
import type { FileCache, FileStore, RemoteFiles } from "./store.ts";

/** The part of the web's `fetch` that a download needs. */
export type FetchLike = (
  url: string,
  options: { signal: AbortSignal },
) => Promise<{
  readonly ok: boolean;
  readonly status: number;
  readonly statusText: string;
  readonly headers: { get(name: string): string | null };
  readonly body: {
    getReader(): { read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array }> };
  } | null;
}>;

/** What a store of downloaded files is made of. */
export interface DownloadOptions {
  /** Which files there are, where, and with which checksums. */
  readonly files: RemoteFiles;
  /** Where downloaded files are kept. */
  readonly cache: FileCache;
  /** What sends requests: the platform's `fetch`, or one that knows a proxy. */
  readonly fetch: FetchLike;
  /** How long a mirror may send nothing before the next is tried. Default 60. */
  readonly timeoutSeconds?: number;
  /** Receives one line for each thing worth knowing: a download that begins or goes on, a cached file that is damaged. */
  readonly report?: (line: string) => void;
  /** What a mirror may send, and what it may unpack to. */
  readonly limits?: Partial<Limits>;
}

/**
 * A store that downloads its files once, from the mirrors in turn; the SHA-256 is checked for cached files as
 * well. A cached file that does not match is downloaded again.
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
      const cached = await cache.read(name).catch((error) => {
        report(`${name} in ${cache.describe} cannot be read (${reason(error)}): downloading it again`);
        return undefined;
      });
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

/** No mirror gave a file; the message has a line for each. */
export class DownloadError extends DataError {}

async function downloadFile(
  name: string,
  expected: string,
  options: DownloadOptions,
  report: (line: string) => void,
): Promise<Uint8Array> {
  const failures: Words[] = [];
  for (const mirror of options.files.mirrors) {
    const url = `${mirror}${name}${options.files.packing === "none" ? "" : ".gz"}`;
    report(`downloading ${url}`);
    try {
      return await downloadFrom(url, name, expected, options, report);
    } catch (error) {
      failures.push(words`  ${url}: ${reason(error)}`);
    }
  }
  throw new DownloadError(
    joined(
      [
        `${name}: no mirror gave the file:`,
        ...failures,
        words`Check the network, or get the dataset's files by hand and pass their folder (${option("directory")})`,
      ],
      "\n",
    ),
    { source: name },
  );
}

async function downloadFrom(
  url: string,
  name: string,
  expected: string,
  options: DownloadOptions,
  report: (line: string) => void,
): Promise<Uint8Array> {
  const received = await receive(url, options, report);
  const { packing, packedSha256 = {} } = options.files;
  const isPacked = packing !== "none";
  // A mirror that sets Content-Encoding has its file decompressed by fetch already.
  if (!isPacked || !isGzip(received)) {
    await checkSum(received, isPacked ? "uncompressed " : "", expected);
    return received;
  }
  const packed = Object.hasOwn(packedSha256, name) ? packedSha256[name] : undefined;
  if (packed !== undefined) await checkSum(received, "compressed ", packed);
  const bytes = await gunzip(received, "the answer", options.limits);
  await checkSum(bytes, "uncompressed ", expected);
  return bytes;
}

async function checkSum(bytes: Uint8Array, kind: string, expected: string): Promise<void> {
  const actual = await sha256(bytes);
  if (actual === expected) return;
  throw new Error(`SHA-256 of the ${bytes.length} ${kind}bytes is ${actual}, expected ${expected}`);
}

/** Fetches a file; gives up when nothing arrives for `timeoutSeconds`. */
async function receive(
  url: string,
  { fetch, timeoutSeconds = 60, limits: changed }: DownloadOptions,
  report: (line: string) => void,
): Promise<Uint8Array> {
  const limits = limitsWith(changed);
  const checkLength = (bytes: number) => {
    if (bytes <= limits.downloadBytes) return;
    throw new DataError(
      words`${bytes.toLocaleString("en")} bytes and more; ${howToRaise("downloadBytes", limits)}`,
    );
  };
  const abort = new AbortController();
  const giveUp = () => abort.abort(new Error(`timeout: nothing received for ${timeoutSeconds} s`));
  let timer = setTimeout(giveUp, timeoutSeconds * 1000);
  try {
    const response = await fetch(url, { signal: abort.signal });
    if (!response.ok) throw new Error(`HTTP status ${response.status} ${response.statusText}`.trim());
    const total = Number(response.headers.get("content-length") ?? 0);
    checkLength(total);
    const chunks: Uint8Array[] = [];
    let size = 0;
    let reported = performance.now();
    const reader = response.body?.getReader();
    for (;;) {
      const part = await reader?.read();
      if (part?.value === undefined) break;
      clearTimeout(timer);
      timer = setTimeout(giveUp, timeoutSeconds * 1000);
      chunks.push(part.value);
      size += part.value.length;
      checkLength(size);
      if (performance.now() - reported > reportSeconds * 1000) {
        reported = performance.now();
        report(`  ${megabytes(size)}${total > 0 ? ` of ${megabytes(total)}` : ""} MB`);
      }
    }
    return joinChunks(chunks);
  } catch (error) {
    abort.abort(error);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Time between two lines about a download that goes on. */
const reportSeconds = 5;

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}

/** An error's message; fetch puts the telling part into the cause. */
function reason(error: unknown): string | DataError {
  if (error instanceof DataError) return error;
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && !error.message.includes(error.cause.message)
    ? `${error.message} (${error.cause.message})`
    : error.message;
}
