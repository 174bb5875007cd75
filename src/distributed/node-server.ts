/** A NATS server of one's own on this machine: found, started on loopback, restarted when it dies, ended with its owner. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { access, constants, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { TransportError } from "./transport-error.ts";

/** A server that belongs to this process. */
export interface OwnServer {
  /** `nats://127.0.0.1:port`: nothing listens beyond loopback. */
  readonly url: string;
  /** For example `2.10.4`. */
  readonly version: string;
  /** The server's process now. */
  pid(): Promise<number>;
  /** Ends it; what it keeps stays in its folder. */
  stop(): Promise<void>;
}

/** How a server is started. */
export interface OwnServerOptions {
  /** Where it keeps what it is to keep; made where it is not there. */
  readonly folder: string;
  /** The program; by default the one that is found on the PATH. */
  readonly program?: string;
  /** The port of loopback that it listens on; default a free one. */
  readonly port?: number;
  /** Further lines of its configuration. */
  readonly configuration?: string;
  /** Further settings of what it keeps, as its configuration writes them: `max_file_store: 1GB`. */
  readonly storage?: string;
  /** Hears that it died and was started again, in words for people. */
  readonly onRestart?: (message: string) => void;
}

/** Where Debian and Go put programs that are on nobody's PATH. */
const furtherFolders = ["/usr/sbin", "/usr/local/sbin", join(process.env.HOME ?? "/root", "go", "bin")];

/** The server's program; undefined where there is none. */
export async function findServer(): Promise<string | undefined> {
  const names = process.platform === "win32" ? ["nats-server.exe"] : ["nats-server"];
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...furtherFolders];
  for (const path of folders.flatMap((folder) => names.map((name) => join(folder, name)))) {
    const isProgram = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isProgram) return path;
  }
  return undefined;
}

/** Where there is no server: how to get one. */
function notFound(): TransportError {
  return new TransportError(
    "Several processes speak by way of a NATS server, and there is no nats-server on the PATH. Install one: " +
      "'apt install nats-server' (Debian, Ubuntu), 'brew install nats-server' (macOS), " +
      "'go install github.com/nats-io/nats-server/v2@latest', or start one by " +
      "'docker run -p 127.0.0.1:4222:4222 nats -js -sd /data' and name it: nats://127.0.0.1:4222.",
    { reason: "unavailable" },
  );
}

/**
 * Starts a server on a free port of loopback.
 *
 * @throws TransportError when there is no program, or it does not start
 */
export async function startServer(options: OwnServerOptions): Promise<OwnServer> {
  const program = options.program ?? (await findServer());
  if (program === undefined) throw notFound();
  const server = new Server(program, await versionOf(program), options);
  await server.start();
  return server;
}

async function versionOf(program: string): Promise<string> {
  try {
    const { stdout, stderr } = await promisify(execFile)(program, ["-v"]);
    return /v(\d+\.\d+\.\d+)/.exec(stdout + stderr)?.[1] ?? "0.0.0";
  } catch (cause) {
    throw new TransportError(`'${program}' does not start: ${(cause as Error).message}.`, {
      reason: "unavailable",
      cause,
    });
  }
}

/**
 * Ends its command when its own standard input ends, as it does when the process that started it is gone, however that ended.
 * It is another group of processes than its owner's, so that Ctrl-C leaves the owner a server for its last words. A server that
 * waits for a full disk hears no signal (2.9.10), and is killed after ten seconds.
 */
const guard = `
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{
  cat <&3 >/dev/null
  kill "$server"
  for second in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$server" || exit; sleep 1; done
  kill -9 "$server"
} 2>/dev/null &
exec 3<&-
wait "$server"
`;

/** A server that dies as often as this in a minute is not started again. */
const mostDeaths = 10;
const startMilliseconds = 10_000;

class Server implements OwnServer {
  readonly version: string;
  readonly #program: string;
  readonly #options: OwnServerOptions;
  #port: number;
  #child: ChildProcess | undefined;
  /** Whether it has been heard of; one that does not come up the first time is not started again. */
  #isReady = false;
  #isStopped = false;
  #deaths: number[] = [];

  constructor(program: string, version: string, options: OwnServerOptions) {
    this.#program = program;
    this.version = version;
    this.#options = options;
    this.#port = options.port ?? -1;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.#port}`;
  }

  async pid(): Promise<number> {
    return Number(await readFile(this.#path("nats-server.pid"), "utf8"));
  }

  async start(): Promise<void> {
    await mkdir(this.#options.folder, { recursive: true });
    await writeFile(this.#path("nats-server.conf"), this.#configuration(), { mode: 0o600 });
    await rm(this.#path("nats-server.pid"), { force: true });
    this.#spawn();
    const end = Date.now() + startMilliseconds;
    for (;;) {
      const port = await this.#readPort();
      if (port !== undefined) {
        this.#port = port;
        this.#isReady = true;
        return;
      }
      const isGone = this.#child === undefined || this.#child.exitCode !== null;
      if (isGone || Date.now() > end) {
        await this.stop();
        throw new TransportError(
          `'${this.#program}' did not start: ${await this.#lastWords()} Its log is ${this.#path("nats-server.log")}.`,
          { reason: "unavailable" },
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    // Whoever waits for its end stays.
    child.ref();
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.stdin?.end();
    await gone;
  }

  #path(name: string): string {
    return join(this.#options.folder, name);
  }

  #configuration(): string {
    const [major = 0, minor = 0] = this.version.split(".").map(Number);
    // Known from 2.10 on; before, what was acknowledged in the last two minutes may be lost with the machine's power.
    const sync = major > 2 || minor >= 10 ? "sync_interval: always" : "";
    const quoted = (name: string) => JSON.stringify(this.#path(name));
    return `# Written by forwardgrad.
host: 127.0.0.1
port: ${this.#port}
pid_file: ${quoted("nats-server.pid")}
ports_file_dir: ${JSON.stringify(this.#options.folder)}
log_file: ${quoted("nats-server.log")}
jetstream {
  store_dir: ${quoted("nats")}
  ${sync}
  ${this.#options.storage ?? ""}
}
${this.#options.configuration ?? ""}
`;
  }

  #spawn(): void {
    const command = [this.#program, "-c", this.#path("nats-server.conf")] as const;
    const isGuarded = process.platform !== "win32";
    const child = isGuarded
      ? spawn("sh", ["-c", guard, "nats-server", ...command], {
          detached: true,
          stdio: ["pipe", "ignore", "ignore"],
        })
      : spawn(command[0], command.slice(1), { stdio: ["pipe", "ignore", "ignore"] });
    if (!isGuarded) child.stdin?.once("finish", () => child.kill());
    child.once("error", () => undefined);
    child.stdin?.on("error", () => undefined);
    child.once("exit", () => {
      // Its reader of our end ends, too.
      child.stdin?.end();
      void this.#died();
    });
    // Neither the server nor the line to it keeps its owner alive.
    child.unref();
    (child.stdin as unknown as { unref?(): void } | null)?.unref?.();
    this.#child = child;
  }

  async #died(): Promise<void> {
    if (this.#isStopped || !this.#isReady) return;
    const now = Date.now();
    this.#deaths = [...this.#deaths.filter((death) => now - death < 60_000), now];
    const why = await this.#lastWords();
    if (this.#deaths.length > mostDeaths) {
      this.#options.onRestart?.(
        `The server died ${this.#deaths.length} times in a minute and is left alone. ${why}`,
      );
      return;
    }
    await writeFile(this.#path("nats-server.conf"), this.#configuration(), { mode: 0o600 });
    if (this.#isStopped) return;
    this.#spawn();
    this.#options.onRestart?.(`The server died and was started again. ${why}`);
  }

  /** The port that it says it listens on. */
  async #readPort(): Promise<number | undefined> {
    try {
      const name = `${this.#program.replace(/^.*[\\/]/, "").replace(/\.exe$/, "")}_${await this.pid()}.ports`;
      const ports: unknown = JSON.parse(await readFile(this.#path(name), "utf8"));
      const [url] = (ports as { readonly nats?: readonly string[] }).nats ?? [];
      await rm(this.#path(name), { force: true });
      return url === undefined ? undefined : Number(new URL(url).port);
    } catch {
      // Not yet.
      return undefined;
    }
  }

  /** The errors at the end of its log. */
  async #lastWords(): Promise<string> {
    const log = await readFile(this.#path("nats-server.log"), "utf8").catch(() => "");
    const errors = log.split("\n").filter((line) => /\[(ERR|FTL)\]/.test(line));
    return errors.slice(-2).join(" ");
  }
}
