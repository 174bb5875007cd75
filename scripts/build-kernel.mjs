// Compiles the WebAssembly kernel of random numbers, src/random/kernel/*.ts (AssemblyScript), to
// src/random/kernel.generated.ts, which holds its bytes as base64. Does nothing when the sources are unchanged.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import asc from "assemblyscript/asc";

const folder = join("src", "random", "kernel");
const target = join("src", "random", "kernel.generated.ts");
const flags = [
  "-O3",
  ...["--noAssert", "--runtime", "stub"],
  ...["--enable", "simd,threads"],
  ...[
    "--importMemory",
    "--sharedMemory",
    "--noExportMemory",
    "--initialMemory",
    "1",
    "--maximumMemory",
    "65536",
  ],
];
/** A statement with `$` stands for four, one for each of the vectors 0 to 3 that are computed in turns. */
const statement = /^( *)((?:const|let) \w+\$ = |\w+\$ = |v128\.store\(\w+, [^;]*\$)[^;]*;$/gm;
const expand = (text) =>
  text.replace(statement, (lines) => [0, 1, 2, 3].map((lane) => lines.replaceAll("$", lane)).join("\n"));

const sources = Object.fromEntries(
  readdirSync(folder).map((name) => [name, expand(readFileSync(join(folder, name), "utf8"))]),
);
const digest = createHash("sha256")
  .update(JSON.stringify([sources, flags, asc.version ?? ""]))
  .digest("hex");
if (existsSync(target) && readFileSync(target, "utf8").includes(digest)) process.exit(0);

let bytes;
const { error, stderr } = await asc.main(["kernel.ts", ...flags, "--outFile", "kernel.wasm"], {
  readFile: (name) => sources[name] ?? null,
  writeFile: (_name, content) => {
    bytes = content;
  },
  listFiles: () => [],
});
if (error) throw new Error(`The kernel does not compile: ${error.message}\n${stderr}`);
const text = Buffer.from(bytes).toString("base64");
// The import "env" "memory" of kind 2, memory; limits follow, which begin with their flags: 3, shared and with a maximum.
const sharedFlagAt = Buffer.from(bytes).indexOf("memory\u0002\u0003") + 7;
if (sharedFlagAt < 7) throw new Error("The kernel does not import a shared memory.");
writeFileSync(
  target,
  `// Made by scripts/build-kernel.mjs from the sources with the SHA-256 ${digest}.\n\n/** The kernel's bytes, base64. */\nexport const kernelBase64 =\n  "${text}";\n\n/** Place of the byte that says what memory it imports: 3 shared, 1 of its own; no instruction depends on it. */\nexport const sharedFlagAt = ${sharedFlagAt};\n`,
);
