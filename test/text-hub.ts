/** A small BERT of transformers with a tokenizer of Hugging Face's, as hubs keep them (`test/cases/texts`). */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "./cli.ts";

const at = (name: string) => join(import.meta.dirname, "cases", "texts", name);

/** A folder as hubs have it: the model in onnx/, its tokenizer above. */
export function hub(): { readonly folder: string; readonly model: string } {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "onnx"));
  const model = join(folder, "onnx", "model.onnx");
  copyFileSync(at("encoder.onnx"), model);
  copyFileSync(at("wordpiece.golden.json"), join(folder, "tokenizer.json"));
  writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify({ pad_token: "[PAD]" }));
  return { folder, model };
}
