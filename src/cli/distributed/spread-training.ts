/** A training whose derivatives others compute: a server where none is named, workers of one's own, and what is said of them. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { joinByThread } from "../../distributed/node-nats-transport.ts";
import { startServer } from "../../distributed/node-server.ts";
import { StoppedError } from "../../distributed/run/coordinator.ts";
import type { CrewEvent } from "../../distributed/run/questions.ts";
import { requireInGranules, requireTogether } from "../../distributed/run/refusals.ts";
import { trainTogether } from "../../distributed/run/train-together.ts";
import { inGranules } from "../../distributed/weights/granules.ts";
import type { TrainEvent } from "../../train/events.ts";
import type { TrainOptions } from "../../train/settings/options.ts";
import { train } from "../../train/train.ts";
import { isSpread, leaseOf, runNameOf, serverOf } from "../flags/distributed-flags.ts";
import type { TrainFlags } from "../flags/training-command.ts";
import { InterruptedError } from "../interrupt.ts";
import { say } from "../output.ts";
import { isLeft, leaveInTime } from "./leave-in-time.ts";
import { tellConnection } from "./tell-connection.ts";

/** Trains as the flags say: here, or with workers. */
export async function* spreadTraining(
  options: TrainOptions,
  flags: TrainFlags,
): AsyncGenerator<TrainEvent, void> {
  const { granule, sliced, workers = 0, distribute } = flags;
  if (!isSpread(flags)) {
    for (const name of ["quorum", "run", "credentials", "certificate", "lease"] as const)
      if (flags[name] !== undefined)
        throw new Error(`--${name} goes with workers (--workers N, --distribute URL); leave it out.`);
    const isInGranules = granule !== undefined || sliced !== undefined;
    if (isInGranules) requireInGranules(options);
    yield* train(isInGranules ? { ...options, gradient: inGranules({ size: granule, sliced }) } : options);
    return;
  }
  // Before anything is started for it.
  requireTogether(options, flags);
  const ending: (() => Promise<void>)[] = [];
  try {
    const server = distribute === undefined ? await ownServer(ending) : serverOf(distribute, flags);
    const run = flags.run ?? runNameOf(flags.out);
    const transport = await joinByThread({ ...server, run, create: true });
    ending.unshift(() => transport.close());
    const silence = tellConnection(transport, server.url);
    ending.unshift(async () => silence());
    const leaving = leaveInTime(transport, options.signal);
    const crew = workers > 0 ? startWorkers(workers, server, run, flags) : undefined;
    if (crew) ending.unshift(() => crew.end());
    ending.unshift(async () => leaving());
    const invitation =
      distribute === undefined
        ? undefined
        : `run ${run} on ${distribute}: forwardgrad worker ${distribute} --run ${run} joins it, on any machine`;
    const { quorum } = flags;
    yield* interruptedAlone(
      trainTogether(options, {
        ...{ transport, granule, sliced, onCrew: telling(), ...leaseOf(flags) },
        ...(quorum !== undefined && { quorum }),
      }),
      distribute === undefined
        ? "--resume goes on from it"
        : "the server has the steps behind it; --resume repeats those, and goes on",
      { invitation, signal: options.signal },
    );
  } finally {
    for (const end of ending) await end();
  }
}

/** A server that lives as long as the run. */
async function ownServer(ending: (() => Promise<void>)[]): Promise<{ readonly url: string }> {
  const folder = await mkdtemp(join(tmpdir(), "forwardgrad-server-"));
  ending.unshift(() => rm(folder, { recursive: true, force: true }));
  const server = await startServer({ folder, onRestart: (message) => say(message) });
  ending.unshift(() => server.stop());
  return { url: server.url };
}

/** Workers on this machine, which share its cores and end with this process. */
function startWorkers(
  count: number,
  { url, credentials, certificate }: ReturnType<typeof serverOf>,
  run: string,
  { threads, device }: Pick<TrainFlags, "threads" | "device">,
) {
  const each = threads ?? Math.max(1, Math.floor(availableParallelism() / count));
  const args = [
    ...[process.argv[1] as string, "worker", url, "--run", run, "--attached", "--threads", `${each}`],
    ...(device === undefined ? [] : ["--device", device]),
    ...(credentials === undefined ? [] : ["--credentials", credentials]),
    ...(certificate === undefined ? [] : ["--certificate", certificate]),
  ];
  let isEnding = false;
  const children = Array.from({ length: count }, (_, index) => {
    const child = spawn(process.execPath, args, { stdio: ["pipe", "ignore", "pipe"] });
    let said = "";
    child.stderr.on("data", (chunk) => {
      said = `${said}${chunk}`.slice(-2000);
    });
    child.on("exit", (code, signal) => {
      if (isEnding || code === 0) return;
      const last = said.trim().split("\n").at(-1) ?? "";
      say(
        `worker ${index + 1} of ${count} ended (${signal ?? `code ${code}`})${last === "" ? "" : `: ${last}`}`,
      );
    });
    return child;
  });
  return {
    async end() {
      isEnding = true;
      await Promise.all(children.map(ended));
    },
  };
}

/** Its input ends, and so does a worker; one that hangs is killed. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.stdin?.end();
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
    child.once("exit", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/**
 * Says how others join a run, once it has begun. A run that was stopped while nobody worked for it, or its server was gone, is interrupted, too, but has no
 * new checkpoint.
 */
async function* interruptedAlone(
  events: AsyncGenerator<TrainEvent, void>,
  kept: string,
  told: { readonly invitation: string | undefined; readonly signal: AbortSignal | undefined },
): AsyncGenerator<TrainEvent, void> {
  let [step, steps] = [0, 0];
  try {
    for await (const event of events) {
      if (event.kind === "start" || event.kind === "step") ({ step, steps } = event);
      if (event.kind === "start" && told.invitation !== undefined) say(told.invitation);
      yield event;
    }
  } catch (error) {
    const isAlone = error instanceof StoppedError;
    if (!isAlone && !isLeft(error, told.signal)) throw error;
    throw new InterruptedError(
      `Stopped at step ${step} of ${steps}, while ${isAlone ? "no worker was there" : "the server was gone"}. The folder has the last checkpoint, and ${kept}.`,
    );
  }
}

const waitingEvery = 30_000;

/** Says who comes and goes. */
function telling(): (event: CrewEvent) => void {
  let waited = Number.NEGATIVE_INFINITY;
  return ({ kind, participant, why }) => {
    if (kind === "waiting") {
      if (performance.now() - waited < waitingEvery) return;
      waited = performance.now();
      say("waiting for workers …");
    } else say(`worker ${participant} ${kind}${why === undefined ? "" : `: ${why}`}`);
  };
}
