/** Connections to a NATS server from Node, with credentials from files. */
import { readFile } from "node:fs/promises";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import type { ConnectionOptions, NatsConnection } from "@nats-io/nats-core";
import { StorageError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import { checkAddress, isLoopback, lasting, refusal } from "./nats/address.ts";
import { identityIn } from "./nats/identity.ts";
import { type JoinOptions, natsTransport } from "./nats/transport.ts";
import type { Transport } from "./transport.ts";
import { TransportError } from "./transport-error.ts";

/** Where a server is, and as who one comes to it. */
export interface ServerOptions {
  /** `nats://host:port`, or `tls://host:port` where only an encrypted connection will do. Without user and password. */
  readonly url: string;
  /**
   * A file with what proves who one is: a .creds file (JWT and NKEY), an NKEY seed, or lines `user: NAME` and `password: …`.
   */
  readonly credentials?: string;
  /** A file with the certificate of who vouches for the server's, where the system does not know it. */
  readonly certificate?: string;
}

/** How a participant in Node joins a run. */
export interface NatsOptions extends ServerOptions, JoinOptions {}

/**
 * Joins a run on a server, in this thread.
 *
 * @throws SettingError when the address or the run's name is none, or holds a password
 * @throws StorageError when a file of credentials cannot be read
 * @throws TransportError when nobody answers there, or refuses
 */
export async function joinOnServer(options: NatsOptions): Promise<Transport> {
  const { connection, user } = await connectToServer(options);
  try {
    return await natsTransport(connection, user, options);
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/**
 * Connects to a server.
 *
 * @returns the connection, and as who one is known there
 * @throws as {@link joinOnServer}
 */
export async function connectToServer({
  url,
  credentials,
  certificate,
}: ServerOptions): Promise<{ readonly connection: NatsConnection; readonly user: string }> {
  const address = checkAddress(url, ["nats", "tls"]);
  const path = credentials ?? "";
  const given = credentials === undefined ? undefined : await readGiven("credentials", path);
  const identity = await identityIn(given, path);
  if (certificate !== undefined) await readGiven("certificate", certificate);
  const { connect } = await import("@nats-io/transport-node");
  const isEncrypted =
    address.protocol === "tls:" ||
    certificate !== undefined ||
    (identity.isSecretSent && !isLoopback(address));
  const options: ConnectionOptions = {
    servers: address.host.includes(":") ? address.host : `${address.host}:4222`,
    ...lasting(identity),
    ...(isEncrypted && { tls: { ...identified(address), ...(certificate && { caFile: certificate }) } }),
  };
  try {
    return { connection: await connect(options), user: identity.user };
  } catch (cause) {
    throw unreachable(url, cause);
  }
}

/** The certificate must be that of the address; of one in numbers, the client would take any that is localhost's. */
function identified({ hostname }: URL): object {
  const host = hostname.replace(/^\[|\]$/g, "");
  return {
    checkServerIdentity: (_: string, certificate: PeerCertificate) => checkServerIdentity(host, certificate),
  };
}

/** @throws StorageError */
async function readGiven(what: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const why = (cause as Error).message;
    throw new StorageError(words`The file of ${option(what)}, '${path}', could not be read: ${why}.`, {
      path,
      cause,
    });
  }
}

function unreachable(url: string, cause: unknown): TransportError {
  const refused = refusal(url, cause);
  if (refused) return refused;
  const { message } = cause as Error;
  if (/does not support 'tls'/.test(message))
    return new TransportError(
      words`The server at ${url} does not encrypt, and only an encrypted connection will do: the address begins with tls://, or
        ${option("certificate")} is given, or ${option("credentials")} are that must not be read on the way. Give the server a certificate (tls { … }), or
        reach it on loopback, as nats://.`,
      { reason: "unavailable", cause },
    );
  if (/certificate|self-signed|altnames|issuer/i.test(message))
    return new TransportError(
      words`The certificate of ${url} is not trusted here (${message}). Name the file of who vouches for it (${option("certificate", null)}), and reach the
        server by a name that it holds.`,
      { reason: "unavailable", cause },
    );
  return new TransportError(
    words`No server could be reached at ${url} (${message}). Start one there, or correct the address.`,
    { reason: "unavailable", cause },
  );
}
