/** Connections to a NATS server from Node, with credentials from files. */
import { readFile } from "node:fs/promises";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import type { Authenticator, ConnectionOptions, NatsConnection } from "@nats-io/nats-core";
import { SettingError, StorageError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
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

/** Who one is, and its proof. */
interface Identity {
  /** As what the server knows one: one word. */
  readonly user: string;
  readonly authenticator?: Authenticator;
  /** Whether the proof itself goes over the line, so that nobody else may read it there. */
  readonly isSecretSent: boolean;
}

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
  const address = checkAddress(url);
  const identity = await identityFrom(credentials);
  if (certificate !== undefined) await readGiven("certificate", certificate);
  const { connect } = await import("@nats-io/transport-node");
  const isEncrypted =
    address.protocol === "tls:" ||
    certificate !== undefined ||
    (identity.isSecretSent && !isLoopback(address));
  const options: ConnectionOptions = {
    servers: address.host.includes(":") ? address.host : `${address.host}:4222`,
    name: "forwardgrad",
    ...(identity.authenticator && { authenticator: identity.authenticator }),
    ...(isEncrypted && { tls: { ...identified(address), ...(certificate && { caFile: certificate }) } }),
    inboxPrefix: `_INBOX_${identity.user}`,
    timeout: 5000,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 200,
    reconnectJitter: 100,
    pingInterval: 2000,
    maxPingOut: 2,
  };
  try {
    return { connection: await connect(options), user: identity.user };
  } catch (cause) {
    throw unreachable(url, cause);
  }
}

/** @throws SettingError */
function checkAddress(url: string): URL {
  const fail = (fix: string) => new SettingError(fix, { option: "distribute" });
  let address: URL;
  try {
    // Without a scheme, or with one that URL knows otherwise, hosts are read in another way.
    address = new URL(url);
  } catch {
    throw fail(`A server's address must be like nats://host:4222, received '${url}'.`);
  }
  if (address.username !== "" || address.password !== "")
    throw new SettingError(
      words`A server's address must hold neither user nor password: addresses are shown and kept. Write the lines "user: NAME" and
        "password: WORD" into a file that you alone can read, and name it by ${option("credentials")}.`,
      { option: "distribute" },
    );
  if (!["nats:", "tls:"].includes(address.protocol) || address.hostname === "")
    throw fail(`A server's address must begin with nats:// or tls://, received '${url}'.`);
  return address;
}

/** Whether an address leads to this machine, by a way that nobody else can listen on. */
export function isLoopback({ hostname }: URL): boolean {
  return hostname === "localhost" || /^127\.\d+\.\d+\.\d+$/.test(hostname) || hostname === "[::1]";
}

async function identityFrom(path: string | undefined): Promise<Identity> {
  if (path === undefined) return { user: "anyone", isSecretSent: false };
  const text = await readGiven("credentials", path);
  const { credsAuthenticator, nkeyAuthenticator, nkeys, usernamePasswordAuthenticator } = await import(
    "@nats-io/nats-core"
  );
  const bytes = new TextEncoder().encode(text);
  const jwt = /BEGIN NATS USER JWT-+\s*([\w-]+\.[\w-]+\.[\w-]+)/.exec(text)?.[1];
  if (jwt !== undefined)
    return { user: nameInJwt(jwt, path), authenticator: credsAuthenticator(bytes), isSecretSent: false };
  const seed = /^(SU[A-Z2-7]{56})\s*$/m.exec(text)?.[1];
  if (seed !== undefined) {
    const seedBytes = new TextEncoder().encode(seed);
    const user = nkeys.fromSeed(seedBytes).getPublicKey();
    return { user, authenticator: nkeyAuthenticator(seedBytes), isSecretSent: false };
  }
  const [name, password] = ["user", "password"].map(
    (key) => new RegExp(`^${key}:[ \\t]*(.*?)[ \\t]*$`, "m").exec(text)?.[1],
  );
  if (name === undefined || password === undefined)
    throw new StorageError(
      `A file of credentials must be a .creds file, an NKEY seed (SU…), or the lines "user: NAME" and "password: WORD"; '${path}' is none of these.`,
      { path },
    );
  return {
    user: checkUser(name, path),
    authenticator: usernamePasswordAuthenticator(name, password),
    isSecretSent: true,
  };
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

function nameInJwt(jwt: string, path: string): string {
  const claims: unknown = JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString());
  const { name } = claims as { readonly name?: unknown };
  return checkUser(typeof name === "string" ? name : "", path);
}

/** Subjects hold it, so it must be a word of one. */
function checkUser(user: string, path: string): string {
  if (!/^[\w-]+$/.test(user))
    throw new StorageError(
      `A user must be a word of letters, digits, "_" and "-", because the subjects that it may use are named for it; '${path}' has ${JSON.stringify(user)}.`,
      { path },
    );
  return user;
}

function unreachable(url: string, cause: unknown): TransportError {
  const { name, message } = cause as Error;
  if (/Authorization|Authentication|Permission/i.test(`${name} ${message}`))
    return new TransportError(
      words`${url} refuses these credentials (${message}). Name a file with others by ${option("credentials")}.`,
      { reason: "refused", cause },
    );
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
