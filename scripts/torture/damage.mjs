/** Run folders whose files were damaged, cut off, lost or mixed up: the right bytes, or an error with nothing changed. */
import { cpSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { searchLearningRate } from "../../dist/index.js";
import { runFolder } from "../../dist/node.js";
import { mutate } from "./mutate.mjs";
import { runSmall, smallRun } from "./readers.mjs";

const search = { ...smallRun, learningRate: undefined, evaluations: 4, rungs: 2, lowest: 0.01, highest: 1 };

async function runSearch(folder, { resume = false, stopAfter } = {}) {
  const controller = new AbortController();
  let trials = 0;
  const options = { ...search, store: runFolder(folder), resume, signal: controller.signal };
  for await (const event of searchLearningRate(options))
    if (event.kind === "trial" && ++trials === stopAfter) controller.abort();
  return [];
}

const kinds = {
  training: {
    go: (folder, resume) => runSmall(runFolder(folder), { resume }),
    begin: async (folder) => {
      const controller = new AbortController();
      await runSmall(stopping(runFolder(folder), controller), { signal: controller.signal });
    },
    results: ["model.onnx", "metrics.jsonl", "config.json"],
  },
  search: {
    go: (folder, resume) => runSearch(folder, { resume }),
    begin: (folder) => runSearch(folder, { stopAfter: 2 }),
    results: ["trials.json", "config.json"],
  },
};

/** Ends a run early: at the third write of a checkpoint. */
function stopping(store, controller) {
  let left = 3;
  return {
    ...store,
    async write(name, bytes) {
      await store.write(name, bytes);
      if (name.startsWith("checkpoint") && --left === 0) controller.abort();
    },
  };
}

/** Folders to damage: of each kind one that is complete and one that was stopped. */
export async function prepareDamage(work) {
  const prepared = [];
  for (const [kind, { go, begin }] of Object.entries(kinds)) {
    const [whole, part] = [join(work, `${kind} complete`), join(work, `${kind} stopped`)];
    for (const folder of [whole, part]) rmSync(folder, { recursive: true, force: true });
    await go(whole, false);
    await begin(part);
    prepared.push(
      { kind, folder: whole, whole, state: "complete" },
      { kind, folder: part, whole, state: "stopped" },
    );
  }
  return prepared;
}

const filesIn = (folder) =>
  readdirSync(folder, { recursive: true })
    .filter((name) => lstatSync(join(folder, name)).isFile())
    .sort();

const contentOf = (folder, except) =>
  JSON.stringify(
    filesIn(folder)
      .filter((name) => !except.has(name))
      .map((name) => [name, readFileSync(join(folder, name), "base64")]),
  );

function resultOf(kind, folder) {
  return kinds[kind].results
    .map((name) => {
      const bytes = readFileSync(join(folder, name));
      if (name === "model.onnx") return bytes.toString("base64");
      // What is compared is what is said, not how: white space may differ.
      const lines = name.endsWith(".jsonl") ? bytes.toString().trim().split("\n") : [bytes.toString()];
      const timeless = (key, value) =>
        ["seconds", "secondsPerStep", "sha256"].includes(key) ? undefined : value;
      return JSON.stringify(lines.map((line) => JSON.parse(line, timeless)));
    })
    .join("\n");
}

export async function damageCase(random, work, prepared) {
  const { kind, folder, whole, state } = random.pick(prepared);
  const place = join(work, `damaged ${process.pid}`);
  rmSync(place, { recursive: true, force: true });
  cpSync(folder, place, { recursive: true });
  const what = [];
  const damaged = new Set();
  const files = filesIn(place);
  for (let round = random.pick([1, 1, 1, 2]); round > 0; round--) {
    const name = random.pick(files);
    const path = join(place, name);
    const others = files.map((file) => readFileSync(join(folder, file)));
    const how = random.pick(["changed", "changed", "changed", "lost", "empty", "of another", "a folder"]);
    what.push(`${name} ${how}`);
    damaged.add(name);
    rmSync(path, { recursive: true, force: true });
    if (how === "changed")
      writeFileSync(path, mutate(readFileSync(join(folder, name)), random.below(2 ** 31)).bytes);
    if (how === "empty") writeFileSync(path, "");
    if (how === "of another") writeFileSync(path, random.pick(others));
    if (how === "a folder") mkdirSync(path);
  }
  // A file that was damaged may have been mended before the error; all others stay as they were.
  const before = contentOf(place, damaged);
  const detail = `${kind}, ${state}: ${what.join(", ")}`;
  let warnings;
  try {
    warnings = await kinds[kind].go(place, true);
  } catch (error) {
    if (!isOurs(error, place)) return { outcome: "unclear error", detail: `${detail}: ${error.stack}` };
    const isSame = contentOf(place, damaged) === before;
    return isSame
      ? { outcome: "clear error" }
      : { outcome: "changed after an error", detail: `${detail}: ${error.message}` };
  }
  // A finished model that is not the run's is somebody's: it stays, and a warning says so.
  if (warnings.some((text) => text.includes("is left as it is")))
    return { outcome: "warning, left as it is" };
  const isSame = resultOf(kind, place) === resultOf(kind, whole);
  return isSame
    ? { outcome: "same bytes" }
    : { outcome: "other bytes", detail: `${detail}: ${warnings.join()}` };
}

/** An error in our words: a plain one that names the file, the folder, or in quotes what is wrong inside it. */
export function isOurs(error, name) {
  const isPlain =
    error instanceof Error &&
    /^(Error|(Setting|Model|UnsupportedOp|Data|Storage|Divergence|Device)Error)$/.test(error.name);
  const isRaw = /undefined|\[object|is not a function|Cannot read|ErrorCode|Non-zero status|Invalid array/;
  if (isPlain && error.message.startsWith(name)) return true;
  return (
    isPlain && !isRaw.test(error.message) && (error.message.includes(name) || /'[^']*'/.test(error.message))
  );
}
