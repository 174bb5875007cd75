/** The program in a run's report, run as its readers would. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import ts from "typescript";
import { expect } from "vitest";
import { lastJson } from "./cli.ts";

/** What the program of a run's report gives, which keeps its run elsewhere. */
export function programResult(out: string, again: string): Record<string, unknown> {
  const notes = JSON.parse(readFileSync(join(out, "report.json"), "utf8")) as { readonly code: string };
  const dist = resolve(import.meta.dirname, "../dist");
  const program = notes.code
    .replaceAll(JSON.stringify(out), JSON.stringify(again))
    .replace(/"forwardgrad\/(\w+)"/g, (_, name) => JSON.stringify(`${dist}/${name}.js`))
    .replace('"forwardgrad"', JSON.stringify(`${dist}/index.js`));
  const script = `${ts.transpile(program, { target: ts.ScriptTarget.ESNext })}\nconsole.log(JSON.stringify(result));`;
  writeFileSync(`${again}.mjs`, script);
  const repeated = spawnSync(process.execPath, [`${again}.mjs`], { encoding: "utf8" });
  expect(repeated.stderr).toBe("");
  return lastJson(repeated.stdout);
}
