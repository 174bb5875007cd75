/** Kills, stops and rivals: whatever happens to a command on its way, in the end its folder holds what it should. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { commandsIn, isClear, leftovers, resultsOf, runCommand } from "./commands.mjs";

/**
 * Chooses among the commands, each with what it leaves undisturbed, how long it takes, and how many calls to the file
 * system it makes; measured when it is chosen first.
 */
export function chooseFrom(work) {
  const commands = Object.entries(commandsIn(work));
  const known = new Map();
  return (random, isMeant = () => true) => {
    const [name, command] = random.pick(commands.filter(([name]) => isMeant(name)));
    if (!known.has(name)) known.set(name, measure(work, name, command));
    return known.get(name);
  };
}

async function measure(work, name, command) {
  const folder = join(work, `undisturbed ${name}`);
  let started = 0;
  const run = await runCommand(command, folder, {
    flags: [],
    fault: { at: 0, folder },
    onStart: async (_, start) => {
      await start;
      started = performance.now();
    },
  });
  if (run.status !== 0) throw new Error(`${name}: ${run.stderr}`);
  const calls = Number(/calls: (\d+)/.exec(run.stderr)?.[1]);
  return {
    name,
    command,
    milliseconds: performance.now() - started,
    calls,
    expected: resultsOf(command, folder),
  };
}

const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** The verdict on a folder after its last resume. */
export function verdict({ command, expected }, folder, last) {
  if (last.isHanging) return { outcome: "hang", detail: last.stderr };
  if (last.status !== 0) return { outcome: "does not go on", detail: last.stderr };
  if (resultsOf(command, folder) !== expected) return { outcome: "other bytes", detail: last.stderr };
  const left = leftovers(folder);
  return left.length > 0 ? { outcome: "left files behind", detail: left.join() } : { outcome: "same bytes" };
}

/** One folder, killed several times. @returns the number of kills, and what came out */
export async function killCase(random, work, choose) {
  const given = await choose(random);
  const folder = join(work, `killed ${random.below(2 ** 31)}`);
  const wanted = 2 + random.below(6);
  let kills = 0;
  try {
    for (let round = 0; round < wanted; round++) {
      // By the clock, or at a call to the file system: before it, after it, or with half of the bytes written.
      const isTimed = random.next() < 0.4;
      const fault = {
        at: 1 + random.below(Math.ceil(given.calls / random.pick([1, 1, 2, 4]))),
        how: random.pick(["kill", "kill", "killed"]),
        half: true,
      };
      const moment = random.next() ** 2 * given.milliseconds;
      const run = await runCommand(given.command, folder, {
        fault: isTimed ? undefined : fault,
        onStart: async (child, started) => {
          if (!isTimed) return;
          if (random.next() < 0.85) await started;
          await sleep(moment);
          child.kill("SIGKILL");
        },
      });
      if (run.signal === "SIGKILL") kills++;
      else if (run.status !== 0)
        return { kills, what: given.name, outcome: "does not go on", detail: run.stderr };
      else break;
    }
    const last = await runCommand(given.command, folder);
    return { kills, what: given.name, ...verdict(given, folder, last) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Two or three processes in one folder; or one that is stopped while another tries, and then goes on. */
export async function rivalCase(random, work, choose) {
  const given = await choose(random);
  const folder = join(work, `rivals ${random.below(2 ** 31)}`);
  try {
    let runs;
    if (random.next() < 0.5) {
      const begin = async () => {
        await sleep(random.next() * given.milliseconds);
        return runCommand(given.command, folder);
      };
      runs = await Promise.all(Array.from({ length: 2 + random.below(2) }, begin));
    } else {
      let rival;
      const first = await runCommand(given.command, folder, {
        onStart: async (child, started) => {
          await started;
          await sleep(random.next() * given.milliseconds);
          // It may have ended already.
          if (!child.kill("SIGSTOP")) return;
          rival = runCommand(given.command, folder).finally(() => child.kill("SIGCONT"));
        },
      });
      runs = rival ? [first, await rival] : [first];
    }
    const refused = runs.filter(({ status }) => status !== 0);
    const unclear = refused.find((run) => !isClear(run) || !run.stderr.includes("is in use"));
    if (unclear) return { what: given.name, outcome: "unclear error", detail: unclear.stderr };
    const last = await runCommand(given.command, folder);
    const result = verdict(given, folder, last);
    const others = `${refused.length} of ${runs.length - 1} others kept out`;
    return { what: given.name, ...result, detail: result.detail ?? others };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
