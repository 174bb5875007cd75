/** What the docs say of the source is so: the picture of the rooms, the tree, paths, and the code that a tangent passes. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const filesIn = (folder: string, ending: string) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
    .filter((name) => name.endsWith(ending));

const design = read("docs/design.md");
const sources = filesIn("src", ".ts").filter(
  (name) => !name.endsWith(".test.ts") && !name.includes("/kernel/"),
);
const folderOf = (path: string) => path.split("/")[1] as string;
const folders = new Set(sources.filter((name) => name.split("/").length > 2).map(folderOf));

/** The rows of the picture, from the top, each with its folders. */
const picture = (/## Rooms[\s\S]*?```text\n([\s\S]*?)```/.exec(design)?.[1] ?? "")
  .split("\n")
  .map((line) =>
    line
      .slice(0, 44)
      .split(/\s+/)
      .filter((word) => word !== ""),
  )
  .filter((row) => row.length > 0);
const rowOf = new Map(picture.flatMap((row, index) => row.map((folder) => [folder, index] as const)));

/** Paths of source files that a page names as code: `train/train.ts`. */
const pathsIn = (page: string) =>
  [...page.matchAll(/`([\w./-]+\/[\w.-]+\.(?:ts|mjs|py))`/g)].map(([, path]) => path as string);

describe("docs/design.md", () => {
  it("draws every folder once", () => {
    const drawn = picture.flat();
    expect([...drawn].sort()).toEqual([...folders].sort());
    expect(new Set(drawn).size).toBe(drawn.length);
  });

  it("draws what a folder imports below it", () => {
    const wrong = sources.flatMap((name) =>
      [...read(name).matchAll(/(?:from|import\() ?"(\.[^"]+)"/g)].flatMap(([, path]) => {
        const target = relative(root, resolve(root, dirname(name), path as string)).replaceAll("\\", "/");
        const [from, to] = [rowOf.get(folderOf(name)), rowOf.get(folderOf(target))];
        if (from === undefined || to === undefined || folderOf(name) === folderOf(target)) return [];
        return to > from ? [] : [`${name} imports ${target}`];
      }),
    );
    expect(wrong).toEqual([]);
  });

  it("lists every folder in the tree", () => {
    const tree = /## Layout and allowed imports\s+```\n([\s\S]*?)```/.exec(design)?.[1] ?? "";
    for (const folder of folders) expect(tree).toContain(`  ${folder}/`);
  });
});

describe("six paths", () => {
  const text = /## Six paths[\s\S]*?(?=^## )/m.exec(design)?.[0] ?? "";
  const paths = [...text.matchAll(/^- Now.*$/gm)].map(([line]) => ({
    files: pathsIn(line).map((path) => `src/${path}`),
    count: Number(/\((\d+)\)$/.exec(line)?.[1]),
  }));
  const importsOf = (name: string) =>
    [...read(name).matchAll(/(?:from|import\() ?"(\.[^"]+\.ts)"/g)].map(([, path]) =>
      relative(root, resolve(root, dirname(name), path as string)).replaceAll("\\", "/"),
    );

  /** What a file imports, directly or not. */
  function reach(start: string): ReadonlySet<string> {
    const found = new Set([start]);
    for (const name of found) for (const target of importsOf(name)) found.add(target);
    return found;
  }

  it("lead through as many files as they say, each once", () => {
    expect(paths).toHaveLength(8);
    for (const { files, count } of paths) expect(new Set(files).size).toBe(count);
  });

  it("lead from their first file to all others", () => {
    for (const { files } of paths) {
      const reached = reach(files[0] as string);
      expect(files.filter((name) => !reached.has(name))).toEqual([]);
    }
  });

  it("have a few lines for what was before, and one for each that is", () => {
    expect(text.match(/^- Before/gm)).toHaveLength(6);
  });
});

describe("the docs", () => {
  const pages = ["README.md", "CONTRIBUTING.md", ...filesIn("docs", ".md")];

  it("name source files that exist", () => {
    const named = pages.flatMap((page) => pathsIn(read(page)).map((path) => ({ page, path })));
    expect(named.length).toBeGreaterThan(40);
    const lost = named.filter(
      ({ page, path }) => !["", "src", dirname(page)].some((folder) => existsSync(join(root, folder, path))),
    );
    expect(lost).toEqual([]);
  });
});

describe("a tangent's way", () => {
  const sections = read("docs/a-tangents-way.md").split(/^## /m);
  const files = sections.flatMap((section) => /^\d\. .*\]\(\.\.\/(src\/[^)]+)\)/.exec(section)?.[1] ?? []);

  it("leads through at most seven files", () => {
    expect(files.length).toBeGreaterThan(4);
    expect(files.length).toBeLessThanOrEqual(7);
  });

  it("quotes them as they are", () => {
    let lines = 0;
    for (const section of sections) {
      const path = /^\d\. .*\]\(\.\.\/(src\/[^)]+)\)/.exec(section)?.[1];
      const quoted = /```text\n([\s\S]*?)```/.exec(section)?.[1];
      if (path === undefined || quoted === undefined) continue;
      for (const line of quoted.trim().split("\n")) {
        expect(read(path), path).toContain(line);
        lines++;
      }
    }
    expect(lines).toBeGreaterThan(7);
  });

  it("names functions that these files have", () => {
    for (const section of sections) {
      const path = /^\d\. .*\]\(\.\.\/(src\/[^)]+)\)/.exec(section)?.[1];
      const [, name] = /^`#?(\w+)` /m.exec(section) ?? [];
      if (path !== undefined && name !== undefined)
        expect(read(path), path).toMatch(new RegExp(`\\b${name}\\(`));
    }
  });
});
