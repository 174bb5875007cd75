// Processor time of coordinator, worker and server a step, over a NATS server of its own (Linux, by /proc):
//   node bench/processor-time.mjs --folder MNIST [--hidden 512,512] [--batch 256] [--steps 120]
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values: flags } = parseArgs({
  options: {
    folder: { type: "string", default: "." },
    hidden: { type: "string", default: "512,512" },
    batch: { type: "string", default: "256" },
    steps: { type: "string", default: "120" },
  },
});
/** Hundredths of a second that a process had of all cores, its threads included. */
const ticksPerSecond = 100;

/** Fields of a process behind its name: state, parent, … */
function fieldsOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** A process and all below it, by what they are. */
function rolesBelow(root) {
  const parents = new Map();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name)))
    try {
      parents.set(Number(pid), Number(fieldsOf(pid)[1]));
    } catch {
      // It ended.
    }
  const isBelow = (pid) => pid === root || (parents.has(pid) && isBelow(parents.get(pid)));
  const roles = new Map();
  for (const pid of parents.keys()) {
    if (!isBelow(pid)) continue;
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    const isServer = command[0].endsWith("nats-server");
    const role = isServer ? "server" : command.includes("worker") ? "worker" : "coordinator";
    if (isServer || command[0] === process.execPath) roles.set(pid, role);
  }
  return roles;
}

/** Milliseconds by role. */
function processorTime(roles) {
  const sums = {};
  for (const [pid, role] of roles) {
    const fields = fieldsOf(pid);
    sums[role] = (sums[role] ?? 0) + (1000 * (Number(fields[11]) + Number(fields[12]))) / ticksPerSecond;
  }
  return sums;
}

const later = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

async function run(workers) {
  const folder = mkdtempSync(join(tmpdir(), "processor-"));
  const command = [
    ...[join(import.meta.dirname, "../dist/cli.js"), "train", "--workers", String(workers), "--threads", "1"],
    ...["--perturb", "weights", "--sampler", "rademacher", "--tangents", "16", "--model", "mlp"],
    ...["--data", "mnist", "--data-dir", flags.folder, "--hidden", flags.hidden, "--batch", flags.batch],
    ...["--steps", flags.steps, "--out", join(folder, "run")],
  ];
  const child = spawn(process.execPath, command, { stdio: "ignore" });
  const ended = new Promise((done) => child.once("exit", done));
  const metrics = join(folder, "run/metrics.jsonl");
  const stepNow = () => {
    if (!existsSync(metrics)) return 0;
    const lines = readFileSync(metrics, "utf8")
      .trim()
      .split("\n")
      .filter((line) => line !== "");
    return lines.length === 0 ? 0 : (JSON.parse(lines.at(-1)).step ?? 0);
  };
  const seen = [];
  let roles;
  while (child.exitCode === null) {
    const step = stepNow();
    // The first steps compile; the last ones judge the result.
    if (step >= 20 && step < Number(flags.steps) && step !== seen.at(-1)?.step) {
      roles ??= rolesBelow(child.pid);
      try {
        seen.push({ step, ...processorTime(roles) });
      } catch {
        break;
      }
    }
    await later(20);
  }
  await ended;
  rmSync(folder, { recursive: true, force: true });
  const [first, last] = [seen[0], seen.at(-1)];
  const each = (role) => Number(((last[role] - first[role]) / (last.step - first.step)).toFixed(1));
  return {
    workers,
    steps: last.step - first.step,
    coordinator: each("coordinator"),
    worker: each("worker") / workers,
    server: each("server"),
  };
}

for (const workers of [1, 2, 4]) console.log(JSON.stringify(await run(workers)));
