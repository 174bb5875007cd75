// The docs' site: navigation, search and looks. `site/build.mjs` lays the pages out.
import { defineConfig } from "vitepress";
import { anchorOf, repository, sections } from "../pages.mjs";

const address = (path) => `/${path.replace(/index\.md$/, "").replace(/\.md$/, "")}`;
const entryPoints = ["forwardgrad", "onnx", "autodiff", "data", "studies", "node"];
const reference = {
  text: "API reference",
  items: entryPoints.map((name) => ({
    text: name === "forwardgrad" ? name : `forwardgrad/${name}`,
    link: name === "forwardgrad" ? "/api/forwardgrad/" : `/api/forwardgrad/${name}/`,
  })),
};
const [guide, ...others] = sections.map(({ text, pages }) => ({
  text,
  items: pages.map((page) => ({ text: page.text, link: address(page.path) })),
}));

export default defineConfig({
  title: "forwardgrad",
  description: "Train ONNX models with forward passes only.",
  lang: "en",
  // Where the site does not lie at the root of its host: DOCS_BASE=/forwardgrad/ npm run docs
  base: process.env.DOCS_BASE ?? "/",
  srcDir: "pages",
  cleanUrls: true,
  metaChunk: true,
  markdown: {
    anchor: { slugify: anchorOf },
    toc: { slugify: anchorOf },
    // Pages are plain Markdown; "<name>" in them is text.
    config: (md) => md.set({ html: false }),
  },
  themeConfig: {
    nav: [
      { text: "Guide", link: "/library" },
      { text: "API", link: "/api/forwardgrad/" },
      { text: "Studies", link: "/studies/" },
      { text: "Changes", link: "/changes" },
    ],
    sidebar: [guide, reference, ...others],
    outline: [2, 3],
    search: { provider: "local" },
    socialLinks: [{ icon: "github", link: repository }],
    externalLinkIcon: true,
  },
});
