/**
 * Writes the glyphs dataset for bench/glyphs-difficulty.py and says how long drawing took:
 *
 *     npx unrun bench/glyphs-dump.ts /tmp/glyphs
 *
 * writes /tmp/glyphs/{train,test}-{images,labels}.bin: bytes, count × 784 and count.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { glyphs } from "../src/data/sets/glyphs.ts";

const folder = process.argv[2];
if (folder === undefined)
  throw new Error("glyphs-dump: no folder, expected one to write to; pass it as the argument");

const began = performance.now();
const dataset = glyphs();
const seconds = (performance.now() - began) / 1000;
console.log(`drew ${dataset.train.count + dataset.test.count} digits in ${seconds.toFixed(2)} s`);

const pixels = dataset.train.inputs;
let sum = 0;
let squares = 0;
for (const byte of pixels) {
  sum += byte / 255;
  squares += (byte / 255) ** 2;
}
const mean = sum / pixels.length;
const standardDeviation = Math.sqrt(squares / pixels.length - mean * mean);
console.log(`training pixels: mean ${mean.toFixed(4)}, standard deviation ${standardDeviation.toFixed(4)}`);

mkdirSync(folder, { recursive: true });
for (const split of ["train", "test"] as const) {
  writeFileSync(join(folder, `${split}-images.bin`), Uint8Array.from(dataset[split].inputs));
  writeFileSync(join(folder, `${split}-labels.bin`), Uint8Array.from(dataset[split].labels));
}
