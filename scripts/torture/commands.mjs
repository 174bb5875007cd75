/** Small commands of each kind that keeps a folder, how they are run, and what they must leave behind. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");
const cli = join(root, "dist/cli.js");
const preload = join(import.meta.dirname, "fail-files.mjs");

/** Points of the plane, and whether they lie in a circle: a problem that trains in moments. */
function writePoints(path) {
  const rows = ["x,y,inside"];
  for (let index = 1; index <= 160; index++) {
    const [x, y] = [0.7548776662, 0.5698402909].map((step) => ((index * step) % 1) * 2 - 1);
    rows.push(`${x.toFixed(4)},${y.toFixed(4)},${Math.hypot(x, y) < 0.8 ? "in" : "out"}`);
  }
  writeFileSync(path, `${rows.join("\n")}\n`);
}

/** The commands, by name, without their folder. */
export function commandsIn(work) {
  mkdirSync(work, { recursive: true });
  const points = join(work, "points.csv");
  if (!existsSync(points)) writePoints(points);
  const data = ["--data", "csv", "--data-file", points, "--target", "inside", "--threads", "1"];
  const often = ["--checkpoint-seconds", "0.02"];
  const small = [...data, "--hidden", "6", "--tangents", "4", "--batch", "16"];
  return {
    train: ["train", ...small, "--epochs", "25", "--momentum", "0.9", ...often],
    "train with early stopping": [
      ...[
        "train",
        ...small,
        "--epochs",
        "20",
        "--optimizer",
        "adam",
        "--lr",
        "0.02",
        "--patience",
        "3",
        ...often,
      ],
      ...["--perturb", "weights", "--schedule", "plateau", "--track-quality", "7"],
    ],
    search: [
      ...["search", ...small, "--steps", "40", "--evaluations", "5", "--rungs", "2", ...often],
      ...["--lowest", "0.01", "--highest", "10"],
    ],
    study: ["study", "angles", "--tiny", "--threads", "1", "--set", "samples=60", "--set", "batch=10"],
  };
}

/** What must be the same in the end, by the first word of the command. */
const results = {
  train: ["model.onnx", "metrics.jsonl", "config.json"],
  search: ["trials.json", "trials.csv", "config.json"],
  study: ["results.csv", "summary.csv", "config.json"],
};

/** The results of a folder as one text, without times. */
export function resultsOf(command, folder) {
  return results[command[0]]
    .map((name) => {
      const path = join(folder, name);
      if (!existsSync(path)) return `${name} is missing`;
      if (name === "model.onnx") return readFileSync(path, "base64");
      const text = readFileSync(path, "utf8");
      if (name === "trials.csv") return text.replace(/,[^,\n]*$/gm, "");
      return text
        .replace(/"(seconds|secondsPerStep|sha256)": ?("[^"]*"|[^,}\s]+),?\s*/g, "")
        .replace(/,(\s*\})/g, "$1");
    })
    .join("\n");
}

/** Files that no finished command leaves. */
export function leftovers(folder) {
  return readdirSync(folder, { recursive: true }).filter((name) => /\.tmp$|lock\.json$/.test(name));
}

/**
 * Runs a command in a folder.
 *
 * @param options `fault`: a plan for fail-files.mjs; `onStart`: receives the process and the moment at which it says what
 * it works on; `seconds`: how long it may take before it counts as hanging
 */
export function runCommand(command, folder, { flags = ["--resume"], fault, onStart, seconds = 300 } = {}) {
  return new Promise((done) => {
    const hook = fault ? ["--import", preload] : [];
    const child = spawn(process.execPath, [...hook, cli, ...command, "--out", folder, ...flags], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ...(fault && { FORWARDGRAD_FAULT: JSON.stringify({ folder, ...fault }) }) },
    });
    let stderr = "";
    let isHanging = false;
    let tell;
    const started = new Promise((resolved) => {
      tell = resolved;
    });
    const timer = setTimeout(() => {
      isHanging = true;
      child.kill("SIGKILL");
    }, 1000 * seconds);
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
      if (/→/.test(stderr)) tell();
    });
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      tell();
      done({ status, signal, stderr, isHanging });
    });
    onStart?.(child, started);
  });
}

/** Whether a command that failed says so in words of ours: one line that names the folder or a file, and no stack. */
export function isClear({ status, stderr }) {
  const last = stderr.trim().split("\n").at(-1) ?? "";
  return (
    status === 1 &&
    last.startsWith("forwardgrad: ") &&
    !/\n\s+at |undefined|TypeError|RangeError/.test(stderr)
  );
}
