import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "..");
const readJson = (path: string) => JSON.parse(readFileSync(join(root, path), "utf8"));
const packageJson = readJson("package.json") as {
  readonly repository: { readonly url: string };
  readonly homepage: string;
  readonly bugs: string;
  readonly files: readonly string[];
  readonly dependencies: Readonly<Record<string, string>>;
};

describe("the lock file", () => {
  const { packages } = readJson("package-lock.json") as {
    packages: Record<string, { integrity?: string; resolved?: string; engines?: { node?: string } }>;
  };
  const entries = Object.entries(packages).filter(([path]) => path !== "");

  it("says of every package what it must hold, and of none where it is fetched from", () => {
    expect(entries.length).toBeGreaterThan(200);
    const wrong = entries.filter(
      ([, { integrity, resolved }]) => !integrity?.startsWith("sha512-") || resolved !== undefined,
    );
    expect(wrong.map(([path]) => path)).toEqual([]);
  });
});

describe("the entry points", () => {
  const { exports } = readJson("package.json") as { exports: Record<string, string | { default: string }> };
  const entries = Object.entries(exports).flatMap(([name, target]) =>
    typeof target === "string" ? [] : [[name, target.default.replace("./dist/", "src/")] as const],
  );

  it("are a source file each, and no program for pages needs Node", () => {
    expect(entries.map(([name]) => name)).toEqual([
      ".",
      "./onnx",
      "./autodiff",
      "./data",
      "./studies",
      "./distributed",
      "./node",
      "./web",
    ]);
    for (const [, path] of entries)
      expect(existsSync(join(root, path.replace(/js$/, "ts"))), path).toBe(true);
  });

  it("keep what programs are written with few enough to read: at most 60 values", async () => {
    const names = Object.keys(await import("../src/index.ts"));
    expect(names).toContain("train");
    expect(names.length).toBeLessThanOrEqual(60);
  });
});

/** Targets of the links of a page, in text and in pictures. */
const linksOf = (path: string) =>
  [...readFileSync(join(root, path), "utf8").matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] as string);

describe("links", () => {
  const repository = packageJson.repository.url.replace(/^git\+|\.git$/g, "");
  const files = `${repository}/blob/main/`;

  it("name one public home", () => {
    expect(packageJson.homepage).toBe(`${repository}#readme`);
    expect(packageJson.bugs).toBe(`${repository}/issues`);
  });

  it("of README work from any page that shows it, and lead to files that exist", () => {
    const links = linksOf("README.md").filter((link) => !link.startsWith("#"));
    expect(links.filter((link) => link.startsWith(files)).length).toBeGreaterThan(5);
    expect(links.filter((link) => !/^https:/.test(link))).toEqual([]);
    const own = links
      .filter((link) => link.startsWith(repository))
      // A picture is linked as a file, not as the page that shows it.
      .map((link) => link.replace(/\/raw\/main\/(?=.*\.png$)/, "/blob/main/").slice(files.length));
    expect(own.filter((path) => !existsSync(join(root, path.replace(/#.*/, ""))))).toEqual([]);
  });
});
