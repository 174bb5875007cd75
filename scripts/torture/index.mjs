/**
 * Tries to break what the program promises: kills, faults of the disk, rivals, runs of many processes,
 * damaged folders, mutated files.
 *
 *   npm run torture -- --minutes 10 --seed 1 [--cases 100] [--jobs 2] [--parts kills,png] [--results file.json] [--json]
 *
 * It ends when the minutes are over, or each part has had its number of cases. Every case is a function of the seed, its
 * part and its number. With --results, a later call goes on where the file
 * stops, and adds to it; scripts/torture/report.mjs writes docs/reliability.md from such files. Exit code 1: something
 * came out that was not promised.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import packageJson from "../../package.json" with { type: "json" };
import { canMount, diskCase, faultCase } from "./faults.mjs";
import { chooseFrom, killCase, rivalCase } from "./kills.mjs";
import { Worker } from "./pool.mjs";
import { randomFor } from "./random.mjs";
import { togetherCase } from "./together.mjs";

/** What may come out of a case. */
const promised = new Set([
  "same bytes",
  "clear error, then same bytes",
  "clear error",
  "warning, left as it is",
  "read",
  "skipped",
]);

/** Kinds of mutated files, with their share of the cases. */
const kinds = {
  onnx: 4,
  npz: 3,
  npy: 2,
  csv: 3,
  png: 3,
  jpeg: 3,
  idx: 1,
  safetensors: 2,
  "config.json": 0.5,
};

/** Parts with their share of the time, and the number of cases in a row. */
const parts = {
  kills: { share: 8, run: commandCase(killCase) },
  faults: { share: 6, run: commandCase(faultCase) },
  rivals: { share: 1, run: commandCase(rivalCase) },
  disks: { share: 1, run: commandCase(diskCase) },
  together: { share: 4, run: commandCase(togetherCase) },
  damage: { share: 2, run: pooledCase("damage") },
  ...Object.fromEntries(
    Object.entries(kinds).map(([kind, share]) => [kind, { share: share / 10, run: pooledCase(kind) }]),
  ),
};

const { values: given } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    seed: { type: "string", default: "1" },
    cases: { type: "string", default: "Infinity" },
    jobs: { type: "string", default: `${availableParallelism()}` },
    parts: { type: "string", default: Object.keys(parts).join(",") },
    results: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const { seed } = given;
const chosen = given.parts.split(",");
const unknown = chosen.find((name) => !(name in parts));
if (unknown !== undefined || !(Number(given.minutes) > 0) || !(Number(given.jobs) >= 1)) {
  console.error(`--minutes and --jobs are numbers above 0, --parts of ${Object.keys(parts).join(", ")}.`);
  process.exit(2);
}

const work = mkdtempSync(join(tmpdir(), "forwardgrad-torture-"));
const before =
  given.results && existsSync(given.results) ? JSON.parse(readFileSync(given.results, "utf8")) : undefined;
if (before && before.seed !== seed) {
  console.error(
    `${given.results} holds results of seed ${before.seed}; go on with that seed, or choose another file.`,
  );
  process.exit(2);
}
const results = before ?? {
  seed,
  version: packageJson.version,
  node: process.version,
  platform: process.platform,
  seconds: 0,
  parts: {},
};
const hasMount = canMount(work);
const choose = chooseFrom(join(work, "commands"));
const deadline = performance.now() + 60_000 * Number(given.minutes);
const spent = Object.fromEntries(chosen.map((name) => [name, 0]));
const workers = new Set();
try {
  const started = performance.now();
  await Promise.all(Array.from({ length: Number(given.jobs) }, lane));
  results.seconds += (performance.now() - started) / 1000;
} finally {
  for (const worker of workers) worker.stop();
  rmSync(work, { recursive: true, force: true });
}
save();
if (given.json) console.log(JSON.stringify(results));
else report();
if (Object.values(results.parts).some(({ broken }) => broken.length > 0)) process.exitCode = 1;

/** Takes the part that has had least of its share of the time, again and again, until the time is over. */
async function lane() {
  const worker = new Worker(60);
  workers.add(worker);
  for (let count = 0; performance.now() < deadline; count++) {
    const open = chosen.filter((name) => (results.parts[name]?.next ?? 0) < Number(given.cases));
    if (open.length === 0) break;
    const name = open.reduce((a, b) => (spent[a] / parts[a].share <= spent[b] / parts[b].share ? a : b));
    results.parts[name] ??= { next: 0, kills: 0, lost: 0, outcomes: {}, broken: [] };
    const part = results.parts[name];
    const started = performance.now();
    // What one lane does now, the other leaves.
    spent[name] += 1;
    const number = part.next++;
    const result = await parts[name].run(randomFor(seed, name, number), number, worker);
    spent[name] += performance.now() - started;
    part.outcomes[result.outcome] = (part.outcomes[result.outcome] ?? 0) + 1;
    part.kills += result.kills ?? 0;
    part.lost = (part.lost ?? 0) + (result.lost ?? 0);
    if (!promised.has(result.outcome)) {
      const { what, outcome, detail } = result;
      if (part.broken.length < 100) part.broken.push({ number, what, outcome, detail });
      console.error(`${name} ${number}: ${what ?? ""} ${outcome}: ${detail ?? ""}`);
    }
    if (count % 50 === 49 || performance.now() - started > 5000) save();
  }
}

/** A case that runs commands. */
function commandCase(run) {
  return async (random) => {
    if (run === diskCase && !hasMount) return { outcome: "skipped" };
    return run(random, work, choose);
  };
}

/** A case that runs in a worker. */
function pooledCase(kind) {
  return (_, number, worker) =>
    worker.run({ part: kind === "damage" ? "damage" : "mutation", kind, seed, number, work });
}

function save() {
  if (given.results) writeFileSync(given.results, `${JSON.stringify(results, undefined, 1)}\n`);
}

function report() {
  for (const [name, { next, kills, lost = 0, outcomes }] of Object.entries(results.parts)) {
    const list = Object.entries(outcomes).map(([outcome, count]) => `${outcome} ${count}`);
    console.log(
      `${name}: ${next} cases${kills > 0 ? ` with ${kills} kills` : ""}${lost > 0 ? ` and ${lost} messages that a server lost` : ""}: ${list.join(", ")}`,
    );
  }
}
