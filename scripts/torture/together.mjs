/**
 * Runs of several processes over a real server, each of which is killed or stopped at any moment: workers, the coordinator, and
 * the server, which may lose the newest of what it keeps. In the end the coordinator's folder holds what one process leaves.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { commandsIn, isClear, resultsOf, runCommand } from "./commands.mjs";
import { loseTail } from "./lose-tail.mjs";

const cli = resolve(import.meta.dirname, "../../dist/cli.js");
const program = ["nats-server", "/usr/sbin/nats-server"].find((name) => spawnSync(name, ["-v"]).status === 0);

/** Seconds that a case may take before it counts as hanging. */
const mostSeconds = 180;

/** What processes may end with while others are killed: they say it in one line, and are started again. */
const mayEndWith =
  /Another coordinator|could not renew its lease|There is no run|does not answer|could be reached/i;

const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

let measured;

/** The run by one process: its command, and what it leaves. */
async function runAlone(work) {
  const [train] = Object.values(commandsIn(join(work, "commands")));
  const data = train.slice(0, train.indexOf("--hidden"));
  const command = [
    ...[...data, "--perturb", "weights", "--hidden", "6", "--tangents", "8", "--granule", "2"],
    ...["--batch", "16", "--momentum", "0.9", "--steps", "2000", "--checkpoint-seconds", "0.3"],
  ];
  const folder = join(work, "together alone");
  const { status, stderr } = await runCommand(command, folder);
  if (status !== 0) throw new Error(stderr);
  return { command, expected: partsOf(command, folder) };
}

/** What must be the same: the model, and metrics but for what one process alone measures of its estimates at the end. */
function partsOf(command, folder) {
  const [model, ...lines] = resultsOf(command, folder).split("\n");
  return [
    model,
    ...lines.filter((line) => line.startsWith('{"kind":') && !line.startsWith('{"kind":"result"')),
  ].join("\n");
}

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** A process, with what it said. */
function start(file, args) {
  const child = spawn(file, args, { stdio: ["ignore", "ignore", "pipe"] });
  const started = { child, stderr: "", end: undefined, ended: undefined };
  child.stderr.on("data", (chunk) => {
    started.stderr += chunk;
  });
  started.ended = new Promise((done) => {
    child.on("close", (status, signal) => {
      started.end = { status, signal, stderr: started.stderr };
      done(started.end);
    });
  });
  return started;
}

/** The processes of one run. */
class Processes {
  kills = 0;
  stops = 0;
  lost = 0;
  /** What a process ended with that it should not have. */
  broken;
  #random;
  #folder;
  #command;
  #port;
  #workers = [];
  #timers = new Set();

  constructor(random, folder, command, port) {
    this.#random = random;
    this.#folder = folder;
    this.#command = command;
    this.#port = port;
  }

  get out() {
    return join(this.#folder, "out");
  }

  get #url() {
    return `nats://127.0.0.1:${this.#port}`;
  }

  begin() {
    mkdirSync(this.#folder, { recursive: true });
    this.#startServer();
    this.#startCoordinator();
    for (let count = 2 + this.#random.below(2); count > 0; count--) this.#startWorker();
  }

  /** Whether the coordinator's folder is complete. */
  get isComplete() {
    return this.coordinator?.end?.status === 0;
  }

  /** Kills or stops one of them. */
  async disturb() {
    const what = this.#random.next();
    const isStopped = this.#random.next() < 0.3;
    if (what < 0.4) {
      const worker = this.#random.pick(this.#workers);
      if (isStopped) this.#stop(worker, 2500);
      else await this.#kill(worker);
    } else if (what < 0.65) {
      if (isStopped) this.#stop(this.coordinator, 3500);
      else {
        await this.#kill(this.coordinator);
        // At once, or when somebody else may have taken its place.
        const wait = this.#random.pick([0, this.#random.next() * 4000]);
        this.#later(wait, () => this.#tendCoordinator());
      }
    } else if (isStopped) this.#stop(this.server, 2000);
    else {
      await this.#kill(this.server);
      if (this.#random.next() < 0.5) {
        const stream = `forwardgrad_torture_${this.#random.pick(["log", "log", "state"])}`;
        const store = join(this.#folder, "store");
        const path = join(store, "jetstream", "$G", "streams", stream);
        if (existsSync(path)) this.lost += await loseTail(store, stream, 1 + this.#random.below(20));
      }
      await sleep(this.#random.pick([0, this.#random.next() * 1500]));
      this.#startServer();
    }
  }

  /** Starts again what ended before the run is complete. */
  tend() {
    if (this.#timers.size === 0) this.#tendCoordinator();
    // They were done with a run that a server, or a coordinator's folder, has not the end of.
    if (
      this.#workers.every(({ end }) => end?.status === 0) &&
      /waiting for workers/.test(this.coordinator.stderr)
    )
      this.#startWorker();
    for (const [index, worker] of this.#workers.entries()) {
      const { end } = worker;
      if (!end || end.status === 0) continue;
      this.#weigh("worker", end);
      this.#workers.splice(index, 1);
      this.#startWorker();
      return;
    }
  }

  /** Ends all that is left. */
  async end() {
    for (const timer of this.#timers) clearTimeout(timer);
    const all = [...this.#workers, this.coordinator, this.server].filter((each) => each && !each.end);
    for (const { child } of all) child.kill("SIGKILL");
    await Promise.all(all.map(({ ended }) => ended));
  }

  /** What all said last, for who looks for the fault. */
  get said() {
    const all = { coordinator: this.coordinator, ...this.#workers };
    return Object.entries(all)
      .map(
        ([name, { stderr, end }]) =>
          `${name} (${end ? (end.signal ?? end.status) : "runs"}): ${stderr.slice(-600)}`,
      )
      .join("\n");
  }

  #startServer() {
    const place = ["-a", "127.0.0.1", "-p", `${this.#port}`, "-js", "-sd", join(this.#folder, "store")];
    this.server = start(program, [...place, "-l", join(this.#folder, "server.log")]);
  }

  #startCoordinator() {
    const spread = ["--distribute", this.#url, "--run", "torture", "--lease", "1", "--resume"];
    this.coordinator = start(process.execPath, [cli, ...this.#command, ...spread, "--out", this.out]);
  }

  #startWorker() {
    const own = ["--run", "torture", "--lease", "1", "--threads", "1"];
    this.#workers.push(start(process.execPath, [cli, "worker", this.#url, ...own]));
  }

  #tendCoordinator() {
    const { end } = this.coordinator;
    if (!end || end.status === 0) return;
    this.#weigh("coordinator", end);
    this.#startCoordinator();
  }

  #weigh(who, end) {
    if (end.signal !== null || (isClear(end) && mayEndWith.test(end.stderr.trim().split("\n").at(-1))))
      return;
    this.broken ??= `${who}: ${end.stderr.slice(-2000)}`;
  }

  async #kill(started) {
    if (started.end) return;
    started.child.kill("SIGKILL");
    const { signal } = await started.ended;
    if (signal === "SIGKILL") this.kills++;
  }

  /** It stands still for a while. */
  #stop({ child, end }, most) {
    if (end || !child.kill("SIGSTOP")) return;
    this.stops++;
    const timer = setTimeout(() => child.kill("SIGCONT"), 100 + this.#random.next() * most);
    timer.unref();
  }

  #later(milliseconds, act) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, milliseconds);
    this.#timers.add(timer);
  }
}

/** Where two texts differ first. */
function differenceOf(expected, received) {
  if (expected === received) return undefined;
  let at = 0;
  while (expected[at] === received[at]) at++;
  const around = (text) => JSON.stringify(text.slice(Math.max(0, at - 80), at + 80));
  return `expected ${around(expected)}, received ${around(received)}`;
}

/** One run, disturbed until it is complete. @returns the number of kills, and what came out */
export async function togetherCase(random, work) {
  if (program === undefined) return { outcome: "skipped" };
  measured ??= runAlone(work);
  const { command, expected } = await measured;
  const folder = join(work, `together ${random.below(2 ** 31)}`);
  const processes = new Processes(random, folder, command, await freePort());
  const wanted = 8 + random.below(10);
  const deadline = performance.now() + 1000 * mostSeconds;
  let disturbed = 0;
  try {
    processes.begin();
    for (let next = performance.now() + 1000 * random.next(); !processes.isComplete; await sleep(50)) {
      processes.tend();
      if (processes.broken) break;
      if (performance.now() > deadline) {
        const { kills, lost } = processes;
        return { kills, lost, outcome: "hang", detail: processes.said };
      }
      if (disturbed >= wanted || performance.now() < next) continue;
      disturbed++;
      await processes.disturb();
      next = performance.now() + random.pick([200, 1000, 3000]) * random.next();
    }
    const { kills, stops, lost, broken } = processes;
    const what = `${kills} kills, ${stops} stops, ${lost} messages lost`;
    if (broken) return { kills, lost, what, outcome: "does not go on", detail: broken };
    const differs = differenceOf(expected, partsOf(command, processes.out));
    if (differs === undefined) return { kills, lost, what, outcome: "same bytes" };
    return { kills, lost, what, outcome: "other bytes", detail: `${differs}\n${processes.said}` };
  } finally {
    await processes.end();
    rmSync(folder, { recursive: true, force: true });
  }
}
