import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { constants, existsSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { type FileHandle, open, rm, stat } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { StorageError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import { codeOf } from "./node-files.ts";

/** The name of the file in a locked folder; it says who holds the lock. */
export const lockFile = "lock.json";

/** A process, so that it can be told from all others, later and elsewhere. */
interface Owner {
  readonly pid: number;
  readonly host: string;
  /** When the lock was taken, ISO 8601. */
  readonly since: string;
  /** Linux: what the machine drew when it started, the space that process numbers belong to, and when the process began. */
  readonly boot?: string;
  readonly processes?: string;
  readonly started?: string;
}

/** A folder that this process alone writes to. */
export interface FolderLock {
  /** @throws where the lock file was deleted or replaced, so that somebody else may be writing now */
  check(): Promise<void>;
  release(): Promise<void>;
}

/**
 * Locks a folder for this process. The lock is the kernel's, which releases it when the process ends, however it ends:
 * flock(2) on `lock.json` on Linux (taken by flock(1) on our open file, because Node has no call for it) and, as a flag of
 * open(2), on macOS and BSD; a named pipe on Windows. What `lock.json` says matters where the kernel cannot know: an owner
 * on another machine that shares the folder, and systems without any of these calls, where the number and start of the
 * owner's process decide.
 *
 * @throws where another process holds the folder or may hold it, naming it
 */
export async function lockFolder(directory: string): Promise<FolderLock> {
  const path = join(resolve(directory), lockFile);
  for (let tries = 0; tries < 20; tries++) {
    const held = await takeFile(path);
    if (held === "taken") throw inUse(directory, readOwner(path));
    const { file, isSure, pipe } = held;
    try {
      // Whoever held it before may have deleted it between our opening and locking it.
      if (!(await isSameFile(file, path))) {
        await close(file, pipe);
        continue;
      }
      const owner = parseOwner(await file.readFile("utf8"));
      if (owner && !isGone(owner, isSure))
        throw isSure ? elsewhere(directory, owner) : inUse(directory, owner);
      const text = `${JSON.stringify(thisProcess(), undefined, 2)}\n`;
      await file.truncate(0);
      await file.write(text, 0);
      if (!isSure) {
        // Of several that find no owner at once, the one that wrote last stays.
        await new Promise((done) => setTimeout(done, 100));
        if (readText(path) !== text) throw inUse(directory, readOwner(path));
      }
    } catch (error) {
      await close(file, pipe);
      throw codeOf(error) === undefined ? error : cannotLock(path, error);
    }
    return {
      async check() {
        if (await isSameFile(file, path)) return;
        throw new StorageError(
          words`${path} was deleted or replaced while this process (${process.pid}) held it, so another one may be
            writing to ${directory}. Nothing more is written; make sure that one process is left, and go on with
            ${option("resume", true)}.`,
          { path: path },
        );
      },
      async release() {
        // Before the lock is gone: nobody else's file can be there yet.
        if (await isSameFile(file, path)) await rm(path, { force: true }).catch(() => undefined);
        await close(file, pipe);
      },
    };
  }
  throw inUse(directory, readOwner(path));
}

interface HeldFile {
  readonly file: FileHandle;
  /** Whether the kernel keeps others on this machine out. */
  readonly isSure: boolean;
  readonly pipe?: Server;
}

/** Opens the lock file, never through a link, and locks it with what the system has. */
async function takeFile(path: string): Promise<HeldFile | "taken"> {
  const { O_RDWR, O_CREAT, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
  const plain = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
  if (process.platform === "win32") {
    const name = createHash("sha256")
      .update(realpathSync.native(dirname(path)).toLowerCase())
      .digest("hex");
    const pipe = await listen(`\\\\.\\pipe\\forwardgrad-${name}`);
    if (pipe === "taken") return "taken";
    return { file: await open(path, plain), isSure: pipe !== undefined, pipe };
  }
  const hasFlag = process.platform === "darwin" || process.platform.endsWith("bsd");
  // O_EXLOCK of <fcntl.h>, the same number on all of them.
  const exclusive = hasFlag ? 0x20 : 0;
  let file: FileHandle;
  try {
    file = await open(path, plain | exclusive);
  } catch (error) {
    if (hasFlag && codeOf(error) === "EAGAIN") return "taken";
    throw cannotLock(path, error);
  }
  if (!(await file.stat()).isFile()) {
    await file.close();
    throw cannotLock(path, new Error("it is no regular file"));
  }
  if (hasFlag) return { file, isSure: true };
  const { status } = spawnSync("flock", ["-x", "-n", "3"], {
    stdio: ["ignore", "ignore", "ignore", file.fd],
  });
  if (status !== 1) return { file, isSure: status === 0 };
  await file.close();
  return "taken";
}

/** Listens on a named pipe, which ends with the process; undefined where that is not possible. */
function listen(name: string): Promise<Server | "taken" | undefined> {
  return new Promise((done) => {
    const server = createServer((socket) => socket.destroy());
    server.on("error", (error) => done(codeOf(error) === "EADDRINUSE" ? "taken" : undefined));
    server.listen({ path: name, exclusive: true }, () => done(server.unref()));
  });
}

async function close(file: FileHandle, pipe: Server | undefined): Promise<void> {
  await file.close();
  pipe?.close();
}

async function isSameFile(file: FileHandle, path: string): Promise<boolean> {
  try {
    const [ours, there] = [await file.stat({ bigint: true }), await stat(path, { bigint: true })];
    return ours.ino === there.ino && ours.dev === there.dev;
  } catch {
    return false;
  }
}

/**
 * Whether the process that a lock file names has ended.
 *
 * @param isSure the kernel has given us its lock, so nobody on this machine holds it
 */
function isGone(owner: Owner, isSure: boolean): boolean {
  const here = thisProcess();
  const isSameBoot = owner.boot === here.boot;
  // A container has a host's name of its own, but not a kernel of its own.
  if (here.boot !== undefined && isSameBoot && isSure) return true;
  if (owner.host !== here.host) return false;
  if (!isSameBoot || isSure) return true;
  if (owner.processes !== here.processes) return false;
  return here.started === undefined ? !isRunning(owner.pid) : startOf(owner.pid) !== owner.started;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}

function thisProcess(): Owner {
  return {
    pid: process.pid,
    host: hostname(),
    since: new Date().toISOString(),
    boot: readText("/proc/sys/kernel/random/boot_id")?.trim(),
    processes: readLink("/proc/self/ns/pid"),
    started: startOf(process.pid),
  };
}

/** When a process began, in ticks since the machine started (Linux; proc(5), field 22 of stat); undefined where none runs. */
function startOf(pid: number): string | undefined {
  // The name in parentheses may hold spaces; the state, field 3, is the first after it.
  const fields = readText(`/proc/${pid}/stat`)?.split(") ").at(-1)?.split(" ");
  const hasEnded = fields?.[0] === "Z" || fields?.[0] === "X";
  return hasEnded ? undefined : fields?.[22 - 3];
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function readOwner(path: string): Owner | undefined {
  return parseOwner(readText(path) ?? "");
}

/** Undefined where a process was killed before it wrote who it is. */
function parseOwner(text: string): Owner | undefined {
  try {
    const owner = JSON.parse(text) as Owner;
    return typeof owner?.pid === "number" && typeof owner.host === "string" ? owner : undefined;
  } catch {
    return undefined;
  }
}

function inUse(directory: string, owner: Owner | undefined): Error {
  const who =
    owner === undefined
      ? "another process"
      : owner.pid === process.pid && owner.host === hostname()
        ? `this process (${owner.pid}) already`
        : `process ${owner.pid} on ${owner.host}`;
  const since = owner === undefined ? "" : ` since ${owner.since}`;
  return new StorageError(
    words`${directory} is in use: ${who} writes to it${since}. Wait until it has ended or stop it, or choose another
      folder (${option("store")}).`,
    { path: directory },
  );
}

function elsewhere(directory: string, owner: Owner): Error {
  return new StorageError(
    words`${directory} is in use, or was when its writer died: process ${owner.pid} on another machine, ${owner.host},
      took it at ${owner.since}, and whether it still runs cannot be told from here. If it has ended, delete
      ${join(directory, lockFile)} and go on with ${option("resume", true)}; or choose another folder
      (${option("store")}).`,
    { path: directory },
  );
}

function cannotLock(path: string, cause: unknown): Error {
  const what = existsSync(path) ? "cannot be locked" : "cannot be made";
  const full =
    codeOf(cause) === "ENOSPC"
      ? words`The disk is full: free some space, then go on with ${option("resume", true)}`
      : undefined;
  return new StorageError(
    words`${path} ${what} (${(cause as Error).message}).
      ${full ?? words`Check the folder and its permissions, or choose another one (${option("store")})`}.`,
    { path: path, cause },
  );
}
