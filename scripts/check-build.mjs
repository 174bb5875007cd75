// Refuses to pack a package whose dist/ is missing or older than its sources.
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

const built = ["dist/index.js", "dist/index.d.ts", "dist/node.js", "dist/cli.js"];
const missing = built.filter((path) => !existsSync(path));
const newest = Math.max(
  ...["package.json", "tsdown.config.ts"].map((path) => statSync(path).mtimeMs),
  ...readdirSync("src", { recursive: true }).map((path) => statSync(join("src", String(path))).mtimeMs),
);
const stale = built.filter((path) => existsSync(path) && statSync(path).mtimeMs < newest);
if (missing.length + stale.length > 0) {
  console.error(
    `Refusing to pack: ${[...missing, ...stale].join(", ")} ${missing.length > 0 ? "missing" : "older than the sources"}; ` +
      "run npm run pack, which builds first.",
  );
  process.exit(1);
}
