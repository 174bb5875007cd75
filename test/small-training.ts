/** A small run of the command line, which several workers can share. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What is trained. */
export const training = [
  "train",
  "--perturb",
  "weights",
  "--hidden",
  "8",
  "--threads",
  "1",
  "--tangents",
  "8",
];
/** In granules, and for how long. */
export const settings = [...training, "--granule", "2", "--steps", "300"];

/** The SHA-256 of the model that a run left, in hexadecimal. */
export function modelSum(run: string): string {
  return createHash("sha256")
    .update(readFileSync(join(run, "model.onnx")))
    .digest("hex");
}
