/** The server.conf of docs/distributed.md, on a real server: encryption, pages' way in, and users with keys. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join, resolve } from "node:path";
import { nkeys } from "@nats-io/nats-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectToServer, joinOnServer } from "../src/distributed/node-nats.ts";
import { temporaryFolder } from "./cli.ts";
import { freePort, noServer, servers, temporaryServer } from "./nats-server.ts";
import { bytes, text } from "./transport-contract.ts";

const page = readFileSync(resolve(import.meta.dirname, "../docs/distributed.md"), "utf8");
const block = (first: string) =>
  new RegExp(`\`\`\`text\\n(# ${first}[\\s\\S]*?)\`\`\``).exec(page)?.[1] ?? "";

/** A certificate of an authority of one's own for localhost, as a server's owner makes it. */
function certify(folder: string): void {
  const openssl = (...args: readonly string[]) =>
    execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const key = ["-newkey", "rsa:2048", "-nodes"];
  openssl("req", "-x509", ...key, "-subj", "/CN=authority", "-keyout", "ca-key.pem", "-out", "ca.pem");
  openssl("req", ...key, "-subj", "/CN=localhost", "-keyout", "server-key.pem", "-out", "server.csr");
  writeFileSync(join(folder, "names.txt"), "subjectAltName=DNS:localhost\n");
  openssl(
    ...["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial"],
    ...["-extfile", "names.txt", "-out", "server.pem"],
  );
}

type Pair = ReturnType<typeof nkeys.createUser>;

/** Claims about a key, signed by another, as NATS has them. */
function jwtOf(issuer: Pair, subject: Pair, name: string, nats: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const about = {
    jti: name,
    iat: 1_700_000_000,
    iss: issuer.getPublicKey(),
    sub: subject.getPublicKey(),
    name,
  };
  const claims = { ...about, nats: { version: 2, ...nats } };
  const signed = `${part({ typ: "JWT", alg: "ed25519-nkey" })}.${part(claims)}`;
  return `${signed}.${Buffer.from(issuer.sign(bytes(signed))).toString("base64url")}`;
}

/** What a page of an origin is answered that asks for a connection. */
function knock(port: number, origin: string, ca: string): Promise<number | undefined> {
  const headers = {
    ...{ Connection: "Upgrade", Upgrade: "websocket", Origin: origin },
    ...{ "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==" },
  };
  return new Promise((answered, failed) => {
    const asked = request({ host: "localhost", port, ca, headers });
    asked.on("upgrade", ({ statusCode }, socket) => {
      socket.destroy();
      answered(statusCode);
    });
    asked.on("response", (response) => {
      response.resume();
      answered(response.statusCode);
    });
    asked.on("error", failed);
    asked.end();
  });
}

describe.skipIf(noServer).each(servers)("server.conf of docs/distributed.md (%s)", (program) => {
  const folder = temporaryFolder();
  const [credentials, certificate] = [join(folder, "ada.txt"), join(folder, "ca.pem")];
  let [port, pagePort] = [0, 0];
  let server: ChildProcess | undefined;

  beforeAll(async () => {
    certify(folder);
    [port, pagePort] = [await freePort(), await freePort()];
    const isOld = /v2\.\d\.|v2\.9/.test(`${execFileSync(program, ["-v"])}`);
    const replaced: readonly (readonly [string, string])[] = [
      ['"0.0.0.0:4222"', `"127.0.0.1:${port}"`],
      ['"0.0.0.0:8443"', `"127.0.0.1:${pagePort}"`],
      ['"/var/lib/nats"', JSON.stringify(join(folder, "kept"))],
      // As the page says of versions before 2.10.
      ...(isOld ? ([["sync_interval: always", ""]] as const) : []),
    ];
    let configuration = block("server.conf");
    for (const [there, here] of replaced) {
      expect(configuration).toContain(there);
      configuration = configuration.replace(there, here);
    }
    mkdirSync(join(folder, "kept"));
    writeFileSync(join(folder, "server.conf"), configuration);
    writeFileSync(join(folder, "users.conf"), block("Users and their rights"));
    writeFileSync(credentials, "user: coordinator\npassword: a long one, of your own\n", { mode: 0o600 });
    const started = spawn(program, ["-c", "server.conf"], {
      cwd: folder,
      stdio: ["ignore", "ignore", "pipe"],
    });
    server = started;
    await new Promise<void>((ready, failed) => {
      let said = "";
      started.stderr.on("data", (chunk) => {
        said += String(chunk);
        if (said.includes("Server is ready")) ready();
      });
      started.once("exit", () => failed(new Error(`It did not start: ${said}`)));
    });
  });
  afterAll(async () => {
    const ended = new Promise((gone) => server?.once("exit", gone) ?? gone(undefined));
    server?.kill();
    await ended;
  });

  it("lets users in by an encrypted connection, whose certificate is vouched for", async () => {
    const transport = await joinOnServer({
      ...{ url: `tls://localhost:${port}`, credentials, certificate, run: "mnist", create: true },
    });
    await transport.log.append(bytes("record"), 0, "1");
    await transport.objects.put("model", bytes("model"));
    expect(text((await transport.objects.get("model")) as Uint8Array)).toBe("model");
    await transport.close();
  });

  it("says what is wrong with a certificate, and what to name", async () => {
    const where = { url: `tls://localhost:${port}`, credentials };
    await expect(connectToServer(where)).rejects.toThrow(
      /certificate of .* is not trusted here.*certificate: …/,
    );
    await expect(connectToServer({ ...where, url: `tls://127.0.0.1:${port}`, certificate })).rejects.toThrow(
      /by a name that it holds/,
    );
    await expect(connectToServer({ ...where, certificate: join(folder, "none.pem") })).rejects.toMatchObject({
      name: "StorageError",
      path: join(folder, "none.pem"),
    });
  });

  it("opens to pages of the origin that it names, and to no other", async () => {
    const ca = readFileSync(certificate, "utf8");
    expect(await knock(pagePort, "https://lab.example.org", ca)).toBe(101);
    expect(await knock(pagePort, "https://elsewhere.example.org", ca)).toBe(403);
  });
});

describe.skipIf(noServer).each(servers)("a file of credentials with a key (%s)", (program) => {
  it("shows who one is by an NKEY seed, whose public key is the user; another key is refused", async () => {
    const folder = temporaryFolder();
    const [known, other] = [nkeys.createUser(), nkeys.createUser()];
    const configuration = `authorization { users: [ { nkey: ${known.getPublicKey()} } ] }`;
    const server = await temporaryServer({ program, configuration });
    try {
      const fileOf = (name: string, key: typeof known) => {
        const path = join(folder, name);
        writeFileSync(path, `${new TextDecoder().decode(key.getSeed())}\n`, { mode: 0o600 });
        return path;
      };
      const { connection, user } = await connectToServer({
        url: server.url,
        credentials: fileOf("known.nk", known),
      });
      expect(user).toBe(known.getPublicKey());
      await connection.close();
      await expect(
        connectToServer({ url: server.url, credentials: fileOf("other.nk", other) }),
      ).rejects.toMatchObject({ name: "TransportError", reason: "refused" });
    } finally {
      await server.stop();
    }
  });

  it("shows who one is by a .creds file, whose user is the name in its JWT; a user of another account is refused", async () => {
    const folder = temporaryFolder();
    const [operator, system, account, stranger, user] = [
      nkeys.createOperator(),
      ...[1, 2, 3].map(() => nkeys.createAccount()),
      nkeys.createUser(),
    ] as [Pair, Pair, Pair, Pair, Pair];
    const open = { subs: -1, data: -1, payload: -1 };
    const limits = { ...open, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
    const room = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
    const accounts = [system, account].map((each) => [
      each.getPublicKey(),
      jwtOf(operator, each, "people", {
        type: "account",
        limits: { ...limits, ...(each === account && room) },
      }),
    ]);
    const configuration = `
      operator: ${jwtOf(operator, operator, "owner", { type: "operator" })}
      system_account: ${system.getPublicKey()}
      resolver: MEMORY
      resolver_preload: { ${accounts.map(([key, jwt]) => `${key}: ${jwt}`).join("\n")} }`;
    const server = await temporaryServer({ program, configuration });
    try {
      const fileOf = (name: string, issuer: Pair) => {
        const path = join(folder, `${name}.creds`);
        const jwt = jwtOf(issuer, user, name, { type: "user", ...open });
        const seed = new TextDecoder().decode(user.getSeed());
        writeFileSync(
          path,
          `-----BEGIN NATS USER JWT-----\n${jwt}\n------END NATS USER JWT------\n\n` +
            `-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`,
        );
        return path;
      };
      const options = { url: server.url, run: "jwt", create: true };
      const transport = await joinOnServer({ ...options, credentials: fileOf("ada", account) });
      expect(transport.participant).toMatch(/^ada\.\w+$/);
      expect(await transport.log.append(bytes("record"), 0, "1")).toBe(1);
      await transport.close();
      await expect(joinOnServer({ ...options, credentials: fileOf("eve", stranger) })).rejects.toMatchObject({
        name: "TransportError",
        reason: "refused",
      });
      await expect(joinOnServer({ ...options, credentials: fileOf("no word", account) })).rejects.toThrow(
        /A user must be a word/,
      );
    } finally {
      await server.stop();
    }
  });

  it("does not send a password to a server that does not encrypt, unless that is on this machine", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "ada.txt");
    writeFileSync(path, "user: ada\npassword: secret\n", { mode: 0o600 });
    const server = await temporaryServer({
      program,
      configuration: 'authorization { users: [ { user: ada, password: "secret" } ] }',
    });
    try {
      const { connection } = await connectToServer({ url: server.url, credentials: path });
      await connection.close();
      await expect(
        connectToServer({ url: server.url.replace("nats:", "tls:"), credentials: path }),
      ).rejects.toThrow(/does not encrypt, and only an encrypted connection will do/);
    } finally {
      await server.stop();
    }
  });
});
