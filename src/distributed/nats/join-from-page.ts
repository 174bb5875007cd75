/** A run on a NATS server, from a page or a worker of one: over a WebSocket, which is all that pages have. */
import type { NatsConnection } from "@nats-io/nats-core";
import { SettingError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import type { Transport } from "../transport.ts";
import { TransportError } from "../transport-error.ts";
import { checkAddress, isLoopback, lasting, refusal } from "./address.ts";
import { identityIn } from "./identity.ts";
import { awaitRun } from "./runs.ts";
import { natsTransport } from "./transport.ts";

/** How a page joins a run. */
export interface PageJoinOptions {
  /** `wss://host:port`, or `ws://localhost:port`: the server's websocket listener. */
  readonly url: string;
  /** The run's name. Default: the only one that is there. */
  readonly run?: string;
  /** The text of a file of credentials, a .creds file, an NKEY seed, or lines `user: NAME` and `password: …`. Default: nobody in particular. */
  readonly credentials?: string;
}

/**
 * Joins a run on a server, and waits until there is one.
 *
 * @param onWaiting hears once that it waits
 * @returns undefined where it was told to stop before there was a run
 * @throws SettingError when the address is none, or holds a password, and where several runs are there and none was named
 * @throws StorageError when the credentials are none
 * @throws TransportError when nobody answers there, or refuses
 */
export async function joinFromPage(
  { url, run: named, credentials }: PageJoinOptions,
  signal: AbortSignal,
  onWaiting: () => void = () => {},
): Promise<Transport | undefined> {
  const address = checkAddress(url, ["wss", "ws"]);
  const identity = await identityIn(credentials, "credentials");
  if (identity.isSecretSent && address.protocol === "ws:" && !isLoopback(address))
    throw new SettingError(
      words`A password is sent over an encrypted connection alone, received '${url}'; begin the address with wss://, or use credentials
        with a key (${option("credentials", null)}).`,
      { option: "distribute" },
    );
  const { wsconnect } = await import("@nats-io/nats-core");
  let connection: NatsConnection;
  try {
    connection = await wsconnect({ ...lasting(identity), servers: url });
  } catch (cause) {
    throw refusal(url, cause) ?? unreachable(url, cause);
  }
  try {
    const run = await awaitRun(connection, url, named, signal, onWaiting);
    if (run !== undefined) return await natsTransport(connection, identity.user, { run });
  } catch (error) {
    await connection.close();
    throw error;
  }
  await connection.close();
  return undefined;
}

/** A page is not told why: all that may be is named. */
function unreachable(url: string, cause: unknown): TransportError {
  return new TransportError(
    `No server lets this page in at ${url} (${(cause as Error).message}). It must be there, listen for pages (websocket { … }), name this ` +
      "page's origin in its allowed_origins, and have a certificate that this browser trusts; a page that came over https needs wss://.",
    { reason: "unavailable", cause },
  );
}
