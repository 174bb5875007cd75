/** Links of the repository's pages lead to files and headings that exist, and the site's navigation has every page. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { anchorOf, onSite, pages, repository, targetOf } from "../site/pages.mjs";

const root = resolve(import.meta.dirname, "..");
const docs = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".md"))
  .map((name) => `docs/${name.replaceAll("\\", "/")}`);
const sources = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "bench/README.md", ...docs];

/** A page without its code. */
const proseOf = (source: string) =>
  readFileSync(join(root, source), "utf8")
    .replaceAll(/^ *```[\s\S]*?^ *```$/gm, "")
    .replaceAll(/`[^`\n]*`/g, (code) => code.replaceAll(/[[\]()]/g, ""));

const linksOf = (source: string) =>
  [...proseOf(source).matchAll(/\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)/gm)].map(
    ([, inline, listed]) => inline ?? listed ?? "",
  );

/** Anchors of a page's headings; equal ones are numbered. */
function anchorsOf(source: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of proseOf(source).matchAll(/^#{1,6} (.*)$/gm)) {
    const anchor = anchorOf(heading.replaceAll("`", "").replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1"));
    let number = 0;
    while (anchors.has(number === 0 ? anchor : `${anchor}-${number}`)) number++;
    anchors.add(number === 0 ? anchor : `${anchor}-${number}`);
  }
  return anchors;
}

describe("links", () => {
  const links = sources.flatMap((source) => linksOf(source).map((link) => ({ source, link })));

  it("lead to files that exist", () => {
    expect(links.length).toBeGreaterThan(60);
    const broken = links.filter(({ source, link }) => {
      const target = targetOf(link, source);
      return target && !existsSync(join(root, target.path));
    });
    expect(broken).toEqual([]);
  });

  it("lead to headings that exist", () => {
    const broken = links.filter(({ source, link }) => {
      const { path, anchor } = targetOf(link, source) ?? {};
      return path?.endsWith(".md") && anchor !== undefined && !anchorsOf(path).has(anchor);
    });
    expect(broken).toEqual([]);
  });

  it("become links between pages of the site, and to files elsewhere", () => {
    const of = (link: string, source: string) => onSite(link, source, root);
    expect(of("docs/data.md#tables", "CHANGELOG.md")).toBe("data.md#tables");
    expect(of(`${repository}/blob/main/docs/studies/README.md`, "README.md")).toBe("studies/index.md");
    expect(of("../README.md", "docs/data.md")).toBe("index.md");
    expect(of("charts/cosine.svg", "docs/studies/angles/report.md")).toBe(
      "/studies/angles/charts/cosine.svg",
    );
    expect(of("../../src/studies/reference/", "docs/studies/README.md")).toBe(
      `${repository}/blob/main/src/studies/reference/`,
    );
    expect(of("https://arxiv.org/abs/2410.17764", "README.md")).toBe("https://arxiv.org/abs/2410.17764");
  });
});

describe("the site's navigation", () => {
  it("has every page once, and no other", () => {
    expect(pages.map(({ source }) => source).sort()).toEqual([...sources].sort());
    expect(new Set(pages.map(({ path }) => path)).size).toBe(pages.length);
  });

  it("follows the folders of the docs, where pictures lie beside their pages", () => {
    for (const { source, path } of pages)
      if (source.startsWith("docs/")) expect(dirname(`docs/${path}`)).toBe(dirname(source));
  });
});
