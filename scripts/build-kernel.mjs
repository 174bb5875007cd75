// Compiles the WebAssembly kernels (AssemblyScript): src/random/kernel/*.ts, which draws random numbers, src/optim/kernel/*.ts,
// which moves parameters, and src/tangents/kernel/*.ts, which counts what signs have in common. Each goes to a kernel.generated.ts beside its folder, which holds its bytes as base64. Does nothing when
// the sources are unchanged.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import asc from "assemblyscript/asc";

const common = ["-O3", "--noAssert", "--runtime", "stub"];
const shared = ["--enable", "simd,threads", "--importMemory", "--sharedMemory", "--noExportMemory"];
const kernels = [
  {
    folder: "random",
    flags: [...shared, "--initialMemory", "1", "--maximumMemory", "65536"],
    isShared: true,
  },
  { folder: "optim", flags: ["--enable", "simd", "--initialMemory", "2", "--maximumMemory", "2"] },
  { folder: "tangents", flags: ["--enable", "simd", "--initialMemory", "1", "--maximumMemory", "65536"] },
];
/** A statement with `$` stands for four, one for each of the vectors 0 to 3 that are computed in turns. */
const statement = /^( *)((?:const|let) \w+\$ = |\w+\$ = |v128\.store\(\w+, [^;]*\$)[^;]*;$/gm;
const expand = (text) =>
  text.replace(statement, (lines) => [0, 1, 2, 3].map((lane) => lines.replaceAll("$", lane)).join("\n"));

for (const { folder, flags: own, isShared } of kernels) {
  const flags = [...common, ...own];
  const from = join("src", folder, "kernel");
  const target = join("src", folder, "kernel.generated.ts");
  const sources = Object.fromEntries(
    readdirSync(from).map((name) => [name, expand(readFileSync(join(from, name), "utf8"))]),
  );
  const digest = createHash("sha256")
    .update(JSON.stringify([sources, flags, asc.version ?? ""]))
    .digest("hex");
  if (existsSync(target) && readFileSync(target, "utf8").includes(digest)) continue;
  const bytes = await compile(sources, flags);
  writeFileSync(
    target,
    `// Made by scripts/build-kernel.mjs from the sources with the SHA-256 ${digest}.\n\n/** The kernel's bytes, base64. */\nexport const kernelBase64 =\n  "${bytes.toString("base64")}";\n${isShared ? sharedFlag(bytes) : ""}`,
  );
}

async function compile(sources, flags) {
  let bytes;
  const { error, stderr } = await asc.main(["kernel.ts", ...flags, "--outFile", "kernel.wasm"], {
    readFile: (name) => sources[name] ?? null,
    writeFile: (_name, content) => {
      bytes = content;
    },
    listFiles: () => [],
  });
  if (error) throw new Error(`The kernel does not compile: ${error.message}\n${stderr}`);
  return Buffer.from(bytes);
}

/** Where it stands that the memory is shared, in TypeScript. */
function sharedFlag(bytes) {
  // The import "env" "memory" of kind 2, memory; limits follow, which begin with their flags: 3, shared and with a maximum.
  const sharedFlagAt = bytes.indexOf("memory\u0002\u0003") + 7;
  if (sharedFlagAt < 7) throw new Error("The kernel does not import a shared memory.");
  return `\n/** Place of the byte that says what memory it imports: 3 shared, 1 of its own; no instruction depends on it. */\nexport const sharedFlagAt = ${sharedFlagAt};\n`;
}
