/** A worker process that runs cases one after another; one that dies or hangs is replaced, and its case counted. */
import { fork } from "node:child_process";
import { join } from "node:path";

const script = join(import.meta.dirname, "worker.mjs");

export class Worker {
  #child;

  /** @param seconds how long a case may take before it counts as hanging */
  constructor(seconds) {
    this.seconds = seconds;
  }

  async run(task) {
    this.#child ??= await start();
    const child = this.#child;
    return new Promise((done) => {
      const end = (result, isOver) => {
        clearTimeout(timer);
        child.removeAllListeners();
        if (isOver) this.#child = undefined;
        done({ number: task.number, ...result });
      };
      const timer = setTimeout(() => {
        child.kill("SIGKILL");
        end({ outcome: "hang", detail: JSON.stringify(task) }, true);
      }, 1000 * this.seconds);
      child.once("message", (result) => end(result, false));
      child.once("exit", (status, signal) =>
        end({ outcome: "crash", detail: `${JSON.stringify(task)}: ${signal ?? status}` }, true),
      );
      child.send(task);
    });
  }

  stop() {
    this.#child?.kill();
    this.#child = undefined;
  }
}

function start() {
  return new Promise((done, failed) => {
    const child = fork(script, {
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      execArgv: ["--max-old-space-size=1024"],
    });
    child.once("message", () => {
      child.removeAllListeners();
      done(child);
    });
    child.once("exit", (status) =>
      failed(new Error(`The worker ended with ${status} before its first case.`)),
    );
  });
}
