/** What a machine that loses its power does to a NATS server's files: the newest messages of a stream are gone. */
import { readdir, readFile, rm, truncate } from "node:fs/promises";
import { join } from "node:path";

/**
 * Cuts the last messages of a stream off its file, as a machine does that loses its power before the file system wrote them.
 * The server must be stopped.
 *
 * @param store where the server keeps its streams
 * @returns how many were cut off: at most those of the stream's last file
 */
export async function loseTail(store, stream, messages) {
  const path = join(store, "jetstream", "$G", "streams", stream, "msgs");
  const blocks = (await readdir(path)).filter((name) => name.endsWith(".blk"));
  const last = blocks.sort((one, other) => Number.parseInt(one, 10) - Number.parseInt(other, 10)).at(-1);
  if (last === undefined) return 0;
  const block = join(path, last);
  const bytes = await readFile(block);
  // Each message begins with its length in bytes; the highest bit says that it has headers.
  const starts = [];
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt32LE(at) & 0x7fffffff;
    // Behind the last message there may be zeros, and the last one may be cut already.
    if (length === 0 || at + length > bytes.length) break;
    starts.push(at);
    at += length;
  }
  const first = Math.max(0, starts.length - messages);
  if (first === starts.length) return 0;
  await truncate(block, starts[first]);
  // What it noted beside the blocks is written later than they are.
  for (const name of await readdir(path))
    if (/\.(idx|fss|db)$/.test(name)) await rm(join(path, name), { force: true });
  return starts.length - first;
}
