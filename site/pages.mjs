// The pages of the docs' site, in the order of its navigation: where each lies in the repository, and where on the site.
import { existsSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path/posix";

/** The repository's files as GitHub shows them. */
export const repository = "https://github.com/forwardgrad/forwardgrad";
const files = `${repository}/blob/main/`;
/** The same files by themselves, as pictures are linked. */
const raw = `${repository}/raw/main/`;

const page = (text, source, path) => ({ text, source, path });
const report = (text, folder) =>
  page(text, `docs/studies/${folder}/report.md`, `studies/${folder}/report.md`);

export const sections = [
  {
    text: "Guide",
    pages: [
      page("Start", "README.md", "index.md"),
      page("The library", "docs/library.md", "library.md"),
      page("Data", "docs/data.md", "data.md"),
      page("Fine-tuning", "docs/fine-tuning.md", "fine-tuning.md"),
      page("In a page", "docs/web.md", "web.md"),
      page("Many machines", "docs/distributed.md", "distributed.md"),
      page("Errors", "docs/errors.md", "errors.md"),
      page("Where it runs", "docs/environments.md", "environments.md"),
    ],
  },
  {
    text: "Studies",
    pages: [
      page("Overview", "docs/studies/README.md", "studies/index.md"),
      report("Quality of the estimate", "quality"),
      report("Closed-form functions", "functions"),
      report("Tangents at an angle", "angles"),
      report("Angles, functions", "angles-functions"),
      report("Networks", "networks"),
      report("Networks on all of MNIST", "networks-mnist"),
      report("The same, our defaults", "networks-mnist-ours"),
      report("Networks of width 4096", "networks-fc-4096"),
      report("ResNet-18", "networks-resnet18"),
      report("ViT", "networks-vit"),
      report("Feedback", "feedback"),
      report("Quality over cost", "frontier"),
      report("Cost: guesses", "frontier-guesses"),
      report("Cost: LeNet-5 and ViT", "frontier-lenet5-vit"),
      report("Scale", "scale"),
      page("Benchmarks", "bench/README.md", "bench.md"),
    ],
  },
  {
    text: "Promises and limits",
    pages: [
      page("Derivatives at kinks", "docs/derivatives.md", "derivatives.md"),
      page("Architectures", "docs/models.md", "models.md"),
      page("ONNX's node tests", "docs/onnx-suite.md", "onnx-suite.md"),
      page("Reliability", "docs/reliability.md", "reliability.md"),
      page("Untrusted files", "docs/untrusted-files.md", "untrusted-files.md"),
    ],
  },
  {
    text: "Project",
    pages: [
      page("A tangent's way", "docs/a-tangents-way.md", "a-tangents-way.md"),
      page("Design", "docs/design.md", "design.md"),
      page("Contributing", "CONTRIBUTING.md", "contributing.md"),
      page("Changes", "CHANGELOG.md", "changes.md"),
    ],
  },
];

export const pages = sections.flatMap(({ pages }) => pages);

/** The anchor of a heading, as GitHub makes it: lower case, without punctuation, hyphens for spaces. */
export function anchorOf(heading) {
  const text = heading.trim().toLowerCase();
  return text
    .replace(/[^\p{Letter}\p{Mark}\p{Number}\p{Connector_Punctuation} -]/gu, "")
    .replaceAll(" ", "-");
}

/** A link's target in the repository and its anchor; undefined for addresses elsewhere. */
export function targetOf(link, source) {
  const [address, anchor] = link.split("#");
  for (const home of [files, raw])
    if (address.startsWith(home)) return { path: address.slice(home.length), anchor };
  if (/^[a-z]+:/.test(address)) return undefined;
  return { path: address === "" ? source : normalize(join(dirname(source), address)), anchor };
}

/** A link of a page in the repository as the same page has it on the site: other pages there, other files on GitHub. */
export function onSite(link, source, root) {
  const target = targetOf(link, source);
  if (!target) return link;
  const hash = target.anchor === undefined ? "" : `#${target.anchor}`;
  const here = pages.find((each) => each.source === source);
  const there = pages.find((each) => each.source === target.path);
  if (there) return there === here ? hash : `${relative(dirname(here.path), there.path)}${hash}`;
  // Pictures are copied to where they lie beside their page.
  if (/\.(svg|png)$/.test(target.path) && existsSync(join(root, target.path)))
    return `/${target.path.replace(/^docs\//, "")}`;
  return `${files}${target.path}${hash}`;
}
