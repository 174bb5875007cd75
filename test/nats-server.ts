/** Real servers for tests: the ones that are installed, each test's on a free port of loopback, in a folder of its own. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loseTail as loseTailOf } from "../scripts/torture/lose-tail.mjs";
import {
  findServer,
  type OwnServer,
  type OwnServerOptions,
  startServer,
} from "../src/distributed/node-server.ts";

/** Programs to test with: the one that is found, and others that `NATS_SERVERS` names, with colons between. */
export const servers: readonly string[] = [
  ...new Set([(await findServer()) ?? [], (process.env.NATS_SERVERS ?? "").split(":")].flat()),
].filter((path) => path !== "");

/** Why tests that need a server are skipped; undefined where there is one. */
export const noServer = servers.length > 0 ? undefined : "no nats-server is installed";

/** A server of a test, in a folder that goes with it. */
export interface TemporaryServer extends OwnServer {
  readonly folder: string;
  /** Stops it, does something to its folder, and starts it again at the same address. */
  restart(between?: () => Promise<void>): Promise<void>;
}

/** @param inside where its folder is made */
export async function temporaryServer(
  options: Omit<OwnServerOptions, "folder"> = {},
  inside = tmpdir(),
): Promise<TemporaryServer> {
  const folder = await mkdtemp(join(inside, "forwardgrad-nats-"));
  let server = await startServer({ ...options, folder });
  const { url, version } = server;
  return {
    folder,
    url,
    version,
    pid: () => server.pid(),
    async restart(between = async () => undefined) {
      await server.stop();
      await between();
      server = await startServer({ ...options, folder, port: Number(new URL(url).port) });
    },
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A port of loopback that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as { readonly port: number };
  await new Promise((closed) => server.close(closed));
  return port;
}

/** Cuts the last messages of a stream off its file. The server must be stopped. */
export async function loseTail(folder: string, stream: string, messages: number): Promise<void> {
  await loseTailOf(join(folder, "nats"), stream, messages);
}

/** Users of tests that may do anything, as lines of a configuration. */
export const someUsers = `authorization { users: [ ${["ada", "ben", "eve"]
  .map((user) => `{ user: ${user}, password: "of ${user}" }`)
  .join(", ")} ] }`;

/** Writes a file by which one of them shows who it is. */
export async function credentialsOf(user: string, folder: string): Promise<string> {
  const path = join(folder, `${user}.txt`);
  await writeFile(path, `user: ${user}\npassword: of ${user}\n`, { mode: 0o600 });
  return path;
}
