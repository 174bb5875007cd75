/**
 * Writes docs/reliability.md from what torture runs left: `node scripts/torture/report.mjs results.json [more.json …]`.
 * Numbers are as they came out; results of several seeds or machines are added up.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What was promised, and how it was tried, by part. */
const promises = {
  kills: [
    "A run, search or study that is killed at any moment and resumed ends with the bytes of an undisturbed one",
    "SIGKILL by the clock, or before, after or in the middle of a random call to the file system, two to seven times a folder",
  ],
  faults: [
    "A disk that fails ends a command with a clear error, and loses nothing",
    "a random call fails with ENOSPC, EIO, EACCES, EROFS, EDQUOT, EMFILE or EPERM, once or from then on, after half of the bytes or none; then the disk is well",
  ],
  rivals: [
    "One process writes to a folder at a time, also while it is stopped",
    "two or three resumes at once; another process while the first is stopped (SIGSTOP), which then goes on",
  ],
  disks: [
    "The same on real disks",
    "a file system of a few kilobytes that runs full, or that turns read-only on the way; the folder is copied and resumed",
  ],
  together: [
    "A run of several processes over a server ends with the bytes of one process, whoever is killed",
    "SIGKILL of workers, of the coordinator (which starts again, or is replaced) and of the server, which may lose its newest messages; SIGSTOP of each for up to 3.5 seconds",
  ],
  damage: [
    "A damaged folder gives the right bytes, or a clear error with nothing changed",
    "files of a complete or stopped run or search changed, cut, emptied, lost, replaced by another file or by a folder",
  ],
  onnx: [
    "A mutated file of any kind is read, or refused in our words: no crash, no hang, no flood of memory",
    "ONNX files of PyTorch, onnx.helper, onnxscript and JAX: decoded, probed by the engine, derived",
  ],
  npz: ["", "npz archives of NumPy"],
  npy: ["", "npy arrays of NumPy"],
  csv: ["", "CSV tables of pandas and of a spreadsheet"],
  png: ["", "PNG pictures of Pillow: all colour types, interlaced, palettes, EXIF"],
  jpeg: ["", "JPEG pictures of Pillow: baseline, progressive, restarts, CMYK, EXIF"],
  idx: ["", "IDX files, the format of MNIST"],
  safetensors: ["", "checkpoints"],
  "config.json": ["", "configurations of a run"],
};

const results = process.argv.slice(2).map((path) => JSON.parse(readFileSync(path, "utf8")));
if (results.length === 0) {
  console.error("Say which files hold the results: node scripts/torture/report.mjs results.json");
  process.exit(2);
}

/** All results of a part as one. */
function sumOf(name) {
  const sum = { cases: 0, kills: 0, outcomes: {}, broken: [] };
  for (const part of results.flatMap(({ parts }) => parts[name] ?? [])) {
    sum.kills += part.kills;
    sum.broken.push(...part.broken);
    for (const [outcome, count] of Object.entries(part.outcomes)) {
      sum.cases += count;
      sum.outcomes[outcome] = (sum.outcomes[outcome] ?? 0) + count;
    }
  }
  return sum;
}

const number = (value) => value.toLocaleString("en");
const cell = (text) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
const rows = [];
const broken = [];
for (const [name, [promise, how]] of Object.entries(promises)) {
  const { cases, kills, outcomes, broken: cases_ } = sumOf(name);
  if (cases === 0) continue;
  const times = kills > 0 ? `${number(kills)} kills of ${number(cases)} folders` : number(cases);
  const outcome = Object.entries(outcomes)
    .sort(([, a], [, b]) => b - a)
    .map(([what, count]) => `${number(count)} ${what}`)
    .join("; ");
  rows.push(`| ${promise} | ${how} | ${times} | ${outcome} |`);
  for (const { number: which, what, outcome: came, detail } of cases_)
    broken.push(
      `- ${name} ${which}${what ? ` (${what})` : ""}: ${came}. ${cell(detail ?? "").slice(0, 300)}`,
    );
}

const [{ version, node, platform }] = results;
const minutes = results.reduce((sum, { seconds }) => sum + seconds, 0) / 60;
const text = `# Reliability

What is promised of files and folders, how it was tried, how often, and what came out. Every case is a function of a
seed, so that anyone can repeat it:

\`\`\`sh
npm run torture -- --minutes 30 --seed ${results[0].seed} --results results.json
node scripts/torture/report.mjs results.json
\`\`\`

Of ${results.length === 1 ? "one run" : `${results.length} runs`} (seed ${results.map(({ seed }) => seed).join(", ")}), ${minutes.toFixed(0)} minutes on ${platform}, Node ${node}, version ${version}:

| promised | how it was tried | times | what came out |
|---|---|---|---|
${rows.join("\n")}

"Same bytes" are those of an undisturbed run: model, metrics and configuration, trials, rows, with times left out. A "clear
error" is one line of ours that names the file, folder or node, with exit code 1. Files to mutate are those under
\`test/cases\`, which other programs wrote, but for the IDX files, checkpoints and configurations, which are our own.

${broken.length === 0 ? "Nothing else came out." : `What came out otherwise:\n\n${broken.join("\n")}`}

The tests run a short version (\`test/torture.test.ts\`); \`test/run-folders.test.ts\` and \`test/resume.test.ts\` pin single cases:
two resumes at once, a process that is stopped while another tries, every file of a run lost or replaced.
`;
writeFileSync(join(import.meta.dirname, "../../docs/reliability.md"), text);
