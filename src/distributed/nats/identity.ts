/** Who one is to a NATS server, by the text of a file of credentials. */
import type { Authenticator } from "@nats-io/nats-core";
import { StorageError } from "../../errors/errors.ts";

/** Who one is, and its proof. */
export interface Identity {
  /** As what the server knows one: one word. */
  readonly user: string;
  readonly authenticator?: Authenticator;
  /** Whether the proof itself goes over the line, so that nobody else may read it there. */
  readonly isSecretSent: boolean;
}

/**
 * @param text of a .creds file, an NKEY seed, or lines `user: NAME` and `password: …`; undefined for nobody in particular
 * @param path what messages call it
 * @throws StorageError where it is none of these
 */
export async function identityIn(text: string | undefined, path: string): Promise<Identity> {
  if (text === undefined) return { user: "anyone", isSecretSent: false };
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

function nameInJwt(jwt: string, path: string): string {
  let name: unknown;
  try {
    const claims = (jwt.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(claims), (letter) => letter.charCodeAt(0));
    ({ name } = JSON.parse(new TextDecoder().decode(bytes)) as { readonly name?: unknown });
  } catch {
    // Without a name, it is refused.
  }
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
