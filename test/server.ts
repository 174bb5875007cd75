/** A server of a test's own. */
import type { Server } from "node:http";

/** Starts it on a free port of this machine. @returns the port */
export async function listen(server: Server): Promise<number> {
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("the test server has no port");
  return bound.port;
}
