import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { SettingError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import { addDeriveCommand } from "../commands/derive.ts";
import { addEvalCommand } from "../commands/eval.ts";
import { addInspectCommand } from "../commands/inspect.ts";
import { addSearchCommand } from "../commands/search.ts";
import { addTrainCommand } from "../commands/train.ts";
import { errorInFlags, flags, inFlags } from "./in-flags.ts";

const source = resolve(import.meta.dirname, "../..");
const texts = readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
  .map((name) => [name.replaceAll("\\", "/"), readFileSync(join(source, name), "utf8")] as const);

const program = new Command();
for (const add of [addTrainCommand, addSearchCommand, addEvalCommand, addInspectCommand, addDeriveCommand])
  add(program);
const known = program.commands.flatMap((command) => command.options.map(({ long }) => long));

describe("the command line's words", () => {
  it("have flags with values as a shell takes them, and the library's name where there is no flag", () => {
    expect(inFlags(words`try ${option("learningRate", 0.5)}, ${option("unheard", 2)}`)).toBe(
      "try --lr 0.5, unheard: 2",
    );
  });

  it("show values of every kind", () => {
    const shown = words`${option("ignore", ["a b", "c"])} ${option("dimensions", { T: 2 })} ${option("limits", { nodes: null })}
      ${option("header", false)} ${option("size", { height: 2, width: 3 })} ${option("resume", true)}
      ${option("targets", "values")} ${option("batch", null)} ${option("mlp")}`;
    expect(inFlags(shown)).toBe(
      "--ignore-columns 'a b,c' --dim T=2 --limit nodes=N --no-header --image-size 2x3 --resume " +
        "--loss mean-squared-error --batch N --model mlp",
    );
  });

  it("name flags that commands have", () => {
    const given = Object.values(flags).flatMap(({ flag, values = {} }) => [flag, ...Object.values(values)]);
    const strange = given.filter((flag) => !known.includes(flag.split(" ")[0]));
    expect(given.length).toBeGreaterThan(30);
    expect(strange).toEqual([]);
  });

  it("know every option that a message of the library names", () => {
    const named = texts
      .filter(([name, text]) => !name.startsWith("cli/") && text.includes("errors/words.ts"))
      .flatMap(([name, text]) =>
        [...text.matchAll(/\$\{option\("([^"]+)"/g)].map((match) => [match[1] as string, name] as const),
      );
    expect(named.length).toBeGreaterThan(80);
    expect(named.filter(([option]) => !Object.hasOwn(flags, option))).toEqual([]);
  });

  it("add the flag of the setting that is wrong", () => {
    const wrong = (text: string) => errorInFlags(new SettingError(text, { option: "learningRate" }));
    expect(wrong("learningRate is above 0, received -1.")).toBe(
      "learningRate is above 0, received -1 (--lr).",
    );
    expect(wrong("received -1; raise it")).toBe("received -1; raise it (--lr)");
    expect(errorInFlags(new SettingError("no flag", { option: "unheard" }))).toBe("no flag");
  });
});
