import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "./cli.ts";

const script = resolve(import.meta.dirname, "../scripts/torture/index.mjs");

interface Results {
  readonly parts: Record<string, { next: number; kills: number; outcomes: Record<string, number> }>;
}

/** A short version of `npm run torture`. */
function torture(...args: readonly string[]): Results {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [script, "--minutes", "4", "--json", "--results", join(temporaryFolder(), "results.json"), ...args],
    { encoding: "utf8" },
  );
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout) as Results;
}

it("mutated files of every kind are read or refused in our words", () => {
  const kinds = ["onnx", "npz", "npy", "csv", "png", "jpeg", "idx", "safetensors", "config.json"];
  const { parts } = torture("--parts", kinds.join(","), "--cases", "20", "--seed", "test");
  expect(Object.keys(parts).sort()).toEqual(kinds.sort());
  for (const { next } of Object.values(parts)) expect(next).toBeGreaterThanOrEqual(20);
  const outcomes = new Set(Object.values(parts).flatMap((part) => Object.keys(part.outcomes)));
  expect([...outcomes].sort()).toEqual(["clear error", "read"]);
});

it("damaged folders, kills and faults of the disk end in the right bytes or a clear error", () => {
  const { parts } = torture("--parts", "damage", "--cases", "30", "--seed", "test");
  expect(parts.damage?.outcomes["same bytes"]).toBeGreaterThan(3);
  expect(parts.damage?.outcomes["clear error"]).toBeGreaterThan(3);
  const { parts: commands } = torture("--parts", "kills,faults", "--cases", "1", "--seed", "2");
  expect(commands.kills?.kills).toBeGreaterThan(0);
  expect(Object.keys(commands).sort()).toEqual(["faults", "kills"]);
});
