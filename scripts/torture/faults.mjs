/** Disks that fail: a command ends in a clear error or as if nothing had happened, and goes on when the disk is well. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isClear, runCommand } from "./commands.mjs";
import { verdict } from "./kills.mjs";

const codes = ["ENOSPC", "EIO", "EACCES", "EROFS", "EDQUOT", "EMFILE", "EPERM"];

/** One call to the file system fails, or all from then on; writes may write half before. */
export async function faultCase(random, work, choose) {
  const given = await choose(random);
  const folder = join(work, `faults ${random.below(2 ** 31)}`);
  const fault = {
    at: 1 + random.below(given.calls),
    how: random.pick(codes),
    half: random.next() < 0.5,
    lasting: random.next() < 0.4,
  };
  try {
    const run = await runCommand(given.command, folder, { fault });
    const what = `${given.name}: ${fault.how}`;
    if (run.isHanging) return { what, outcome: "hang", detail: run.stderr };
    if (run.status !== 0 && !isClear(run))
      return { what, outcome: "unclear error", detail: `${JSON.stringify(fault)} ${run.stderr}` };
    return { what, ...after(run, verdict(given, folder, await runCommand(given.command, folder))) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Tells a fault that ended the command from one that it did not notice. */
function after(run, result) {
  const isMended = run.status !== 0 && result.outcome === "same bytes";
  return isMended ? { ...result, outcome: "clear error, then same bytes" } : result;
}

/** Whether this process may mount file systems. */
export function canMount(work) {
  const folder = join(work, "mount probe");
  mkdirSync(folder, { recursive: true });
  const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]);
  if (status === 0) spawnSync("umount", [folder]);
  return status === 0;
}

/** A disk of a few kilobytes that runs full, or turns read-only on the way; then it is mended. */
export async function diskCase(random, work, choose) {
  const given = await choose(random, (name) => name !== "study");
  const disk = join(work, `disk ${random.below(2 ** 31)}`);
  mkdirSync(disk);
  const isFull = random.next() < 0.6;
  const size = isFull ? 8 + 4 * random.below(12) : 4096;
  const mount = (...options) => spawnSync("mount", options);
  mount("-t", "tmpfs", "-o", `size=${size}k`, "tmpfs", disk);
  const [folder, mended] = [join(disk, "run"), join(work, `mended ${random.below(2 ** 31)}`)];
  try {
    const run = await runCommand(given.command, folder, {
      onStart: async (_, started) => {
        await started;
        if (isFull) return;
        await new Promise((done) => setTimeout(done, random.next() * given.milliseconds));
        mount("-o", "remount,ro", disk);
      },
    });
    const what = `${given.name}: ${isFull ? `disk of ${size} KB` : "disk turned read-only"}`;
    if (run.isHanging) return { what, outcome: "hang", detail: run.stderr };
    if (run.status !== 0 && !isClear(run)) return { what, outcome: "unclear error", detail: run.stderr };
    if (run.status !== 0 && isFull && !/disk is full/.test(run.stderr))
      return { what, outcome: "unclear error", detail: run.stderr };
    cpSync(disk, mended, { recursive: true });
    const place = join(mended, "run");
    return { what, ...after(run, verdict(given, place, await runCommand(given.command, place))) };
  } finally {
    spawnSync("umount", [disk]);
    for (const path of [disk, mended]) rmSync(path, { recursive: true, force: true });
  }
}
