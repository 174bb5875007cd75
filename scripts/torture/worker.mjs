/** Runs cases that the pool sends, one at a time; the pool ends it where one takes too long. */
import { damageCase, isOurs, prepareDamage } from "./damage.mjs";
import { mutate } from "./mutate.mjs";
import { randomFor } from "./random.mjs";
import { readers } from "./readers.mjs";

const bases = new Map();
let damaged;

/** Bytes of memory that one file of a few kilobytes may take, engine included. */
const roomForOne = 1.5 * 2 ** 30;

async function mutationCase(kind, random) {
  const { bases: load, read } = readers[kind];
  if (!bases.has(kind)) bases.set(kind, await load());
  const known = bases.get(kind);
  const { name, bytes } = random.pick(known);
  const changed = mutate(bytes, random.below(2 ** 31)).bytes;
  const before = process.memoryUsage().rss;
  let outcome = "read";
  let detail;
  try {
    await read({ name, bytes: new Uint8Array(changed), base: bytes });
  } catch (error) {
    const isClear = isOurs(error, kind === "safetensors" || kind === "config.json" ? "memory" : name);
    outcome = isClear || isOurs(error, name) ? "clear error" : "unclear error";
    if (outcome === "unclear error") detail = `${name}: ${error?.name}: ${error?.message}`;
  }
  const grown = process.memoryUsage().rss - before;
  if (grown > roomForOne) return { outcome: "memory", detail: `${name}: ${(grown / 2 ** 20).toFixed(0)} MB` };
  return { outcome, detail };
}

process.on("message", async ({ part, kind, seed, number, work }) => {
  const random = randomFor(seed, part, kind, number);
  let result;
  try {
    if (part === "damage") {
      damaged ??= await prepareDamage(`${work}/worker ${process.pid}`);
      result = await damageCase(random, work, damaged);
    } else result = await mutationCase(kind, random);
  } catch (error) {
    result = { outcome: "torture failed", detail: error?.stack };
  }
  process.send({ number, ...result, detail: result.detail?.slice(0, 600) });
});
process.send({ isReady: true });
