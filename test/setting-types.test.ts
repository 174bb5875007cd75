/** What TypeScript says of settings before anything runs, in the sources and in the declarations that are published. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import type { TrainSettings } from "../src/index.ts";
import { settingOptions } from "../src/train/settings/options.ts";
import { resolveSettings } from "../src/train/settings/resolve.ts";
import { right, wrong } from "./setting-types.ts";

describe("the types of settings", () => {
  const resolved = (settings: TrainSettings) => resolveSettings(settingOptions, settings, { of: "train" });

  it.each(wrong)("refuse what is refused at run time: %o", (settings) => {
    expect(() => resolved(settings)).toThrow(Object.keys(settings)[0]);
  });

  it.each(right)("take %o", (settings) => {
    expect(() => resolved(settings)).not.toThrow();
  });

  it("hold in the declarations that are published", () => {
    const built = resolve(import.meta.dirname, "../dist/index.d.ts");
    expect(existsSync(built), "npm run build").toBe(true);
    const path = join(import.meta.dirname, "built-setting-types.ts");
    const text = readFileSync(join(import.meta.dirname, "setting-types.ts"), "utf8").replace(
      "../src/index.ts",
      "../dist/index.js",
    );
    const options: ts.CompilerOptions = {
      ...{
        noEmit: true,
        strict: true,
        target: ts.ScriptTarget.ES2023,
        skipLibCheck: false,
        exactOptionalPropertyTypes: true,
        types: [],
        lib: ["lib.es2023.d.ts", "lib.dom.d.ts"],
      },
      ...{ module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler },
    };
    const messagesOf = (content: string) => {
      const host = ts.createCompilerHost(options);
      const { getSourceFile, fileExists } = host;
      host.fileExists = (name) => name === path || fileExists(name);
      host.getSourceFile = (name, ...rest) =>
        name === path
          ? ts.createSourceFile(name, content, ts.ScriptTarget.ES2023)
          : getSourceFile(name, ...rest);
      return ts
        .getPreEmitDiagnostics(ts.createProgram([path], options, host))
        .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, " "));
    };
    expect(messagesOf(text)).toEqual([]);
    expect(messagesOf(text.replace("// @ts-expect-error a name that is none", ""))).toEqual([
      expect.stringContaining('"weight"'),
    ]);
  }, 60_000);
});
