/**
 * Makes one call to the file system fail, in a process that is started with `--import` of this file. The plan is JSON in
 * FORWARDGRAD_FAULT: `folder`, whose files are meant; `at`, the number of the call, from 1; `how`: an error's code, "kill"
 * before the call, "killed" after it; `half`: half of the bytes are written before; `lasting`: all calls from then on fail.
 * With `at` 0 nothing fails, and the number of calls is printed on stderr at the end.
 */
import fs from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { resolve } from "node:path";

const plan = JSON.parse(process.env.FORWARDGRAD_FAULT ?? "{}");
const folder = plan.folder && resolve(plan.folder);
let calls = 0;

/** Whether this call fails; counts it. */
function isMeant(path) {
  if (folder === undefined || !resolve(String(path)).startsWith(folder)) return false;
  calls++;
  return plan.at > 0 && (calls === plan.at || (plan.lasting && calls > plan.at));
}

function failure(call, path) {
  if (plan.how === "kill") process.kill(process.pid, "SIGKILL");
  return Object.assign(new Error(`${plan.how}: injected, ${call} '${path}'`), {
    code: plan.how,
    syscall: call,
    path,
  });
}

/** The same call, failing where the plan says so. @param half writes half of the bytes */
function failing(call, original, pathOf, half) {
  return async function (...given) {
    const path = pathOf.call(this, given);
    if (!isMeant(path)) return original.apply(this, given);
    if (plan.how === "killed") {
      await original.apply(this, given);
      process.kill(process.pid, "SIGKILL");
    }
    if (plan.half && half) await half.call(this, given);
    throw failure(call, path);
  };
}

const paths = new WeakMap();
for (const call of ["rename", "rm", "truncate", "readFile"])
  promises[call] = failing(call, promises[call], ([path]) => path);
const open = failing("open", promises.open, ([path]) => path);
promises.open = async (path, ...rest) => {
  const file = await open(path, ...rest);
  paths.set(file, path);
  return file;
};

const probe = await promises.open(process.execPath, "r");
const handle = Object.getPrototypeOf(probe);
await probe.close();
const pathOfFile = function () {
  return paths.get(this) ?? "";
};
const writeFile = handle.writeFile;
const writeHalf = function ([bytes]) {
  return writeFile.call(this, Buffer.from(bytes).subarray(0, Math.floor(bytes.length / 2)));
};
for (const call of ["writeFile", "write", "sync", "truncate"])
  handle[call] = failing(call, handle[call], pathOfFile, call === "writeFile" ? writeHalf : undefined);

const mkdir = fs.mkdirSync;
fs.mkdirSync = (path, ...rest) => {
  const isFailing = isMeant(path);
  if (isFailing && plan.how !== "killed") throw failure("mkdir", path);
  mkdir(path, ...rest);
  if (isFailing) process.kill(process.pid, "SIGKILL");
};
syncBuiltinESMExports();

if (plan.at === 0) process.on("exit", () => fs.writeSync(2, `\ncalls: ${calls}\n`));
