/** Addresses of NATS servers, and what every connection to one has. */
import type { ConnectionOptions } from "@nats-io/nats-core";
import { SettingError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import { TransportError } from "../transport-error.ts";
import type { Identity } from "./identity.ts";

/**
 * @param protocols what an address may begin with, without `://`; the first one is advised
 * @throws SettingError for what is none, and for one that holds a password
 */
export function checkAddress(url: string, protocols: readonly [string, string]): URL {
  const fail = (fix: string) => new SettingError(fix, { option: "distribute" });
  let address: URL;
  try {
    // Without a scheme, or with one that URL knows otherwise, hosts are read in another way.
    address = new URL(url);
  } catch {
    throw fail(`A server's address must be like ${protocols[0]}://host:4222, received '${url}'.`);
  }
  if (address.username !== "" || address.password !== "")
    throw new SettingError(
      words`A server's address must hold neither user nor password: addresses are shown and kept. Write the lines "user: NAME" and
        "password: WORD" into a file that you alone can read, and name it by ${option("credentials")}.`,
      { option: "distribute" },
    );
  if (!protocols.includes(address.protocol.slice(0, -1)) || address.hostname === "")
    throw fail(`A server's address must begin with ${protocols.join(":// or ")}://, received '${url}'.`);
  return address;
}

/** Whether an address leads to this machine, by a way that nobody else can listen on. */
export function isLoopback({ hostname }: URL): boolean {
  return hostname === "localhost" || /^127\.\d+\.\d+\.\d+$/.test(hostname) || hostname === "[::1]";
}

/** What every connection has: it outlives its server, and notices soon when that is gone. */
export function lasting({ user, authenticator }: Identity): ConnectionOptions {
  return {
    name: "forwardgrad",
    ...(authenticator && { authenticator }),
    inboxPrefix: `_INBOX_${user}`,
    timeout: 5000,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 200,
    reconnectJitter: 100,
    pingInterval: 2000,
    maxPingOut: 2,
  };
}

/** Why nobody let one in; undefined where it is not the credentials. */
export function refusal(url: string, cause: unknown): TransportError | undefined {
  const { name, message } = cause as Error;
  if (!/Authorization|Authentication|Permission/i.test(`${name} ${message}`)) return undefined;
  return new TransportError(
    words`${url} refuses these credentials (${message}). Name a file with others by ${option("credentials")}.`,
    { reason: "refused", cause },
  );
}
