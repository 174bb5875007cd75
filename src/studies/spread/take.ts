/** Measures units of a study that another process runs, until there are none left. */
import type { Task, Transport } from "../../distributed/transport.ts";
import { SettingError } from "../../errors/errors.ts";
import { encodeHeader, encodeRows } from "../results.ts";
import { studies } from "../studies.ts";
import type { Environment, Study, Unit } from "../study.ts";
import {
  type DescribedStudy,
  decodeStudy,
  decodeUnit,
  describeStudy,
  encode,
  objectName,
  subjects,
  type UnitMessage,
} from "./messages.ts";

/** Workers on which a unit may fail before the study does. */
const attempts = 3;
/** Milliseconds between looks for something to do. */
const lookMilliseconds = 2000;
/** Milliseconds after which rows are sent again that nobody said to have stored. */
const againMilliseconds = 1000;

/** How units are taken. */
export interface TakeOptions {
  readonly transport: Transport;
  readonly environment: Omit<Environment, "advance">;
  /** Hears what happens. */
  readonly onEvent?: (event: TakeEvent) => void;
}

/** What happens to a worker of a study. */
export type TakeEvent =
  | { readonly kind: "measuring"; readonly study: string; readonly key: string; readonly attempt: number }
  | { readonly kind: "stored"; readonly key: string; readonly units: number };

/** How it ended. */
export interface TakeResult {
  /** The study is over, or the worker was told to stop. */
  readonly how: "done" | "stopped";
  /** Units whose rows it measured. */
  readonly units: number;
}

/**
 * Takes units until the study is over or the signal says stop.
 *
 * @throws SettingError when the study is of another version of the program, or unknown here
 */
export async function takeUnits(options: TakeOptions): Promise<TakeResult> {
  const { transport, environment } = options;
  const { signal } = environment;
  const taker = new Taker(options);
  try {
    for (;;) {
      const described = decodeStudy((await transport.objects.get(objectName)) ?? new Uint8Array());
      if (described?.isOver) return { how: "done", units: taker.units };
      if (described) await taker.prefer(described);
      const task = signal.aborted ? undefined : await transport.queue.take(lookMilliseconds);
      if (task) await taker.work(task);
      if (signal.aborted) return { how: "stopped", units: taker.units };
    }
  } finally {
    taker.stop();
  }
}

class Taker {
  readonly #options: TakeOptions;
  readonly #stored = new Set<string>();
  readonly #end: () => void;
  #study: Study | undefined;
  #identity = "";
  #plan: ReadonlyMap<string, Unit> = new Map();
  #wake: () => void = () => undefined;
  units = 0;

  constructor(options: TakeOptions) {
    this.#options = options;
    const { transport, environment } = options;
    const end = transport.subscribe("coordinator", subjects.stored(transport.participant), (message) => {
      const unit = decodeUnit(message);
      if (unit) this.#stored.add(unit.key);
      this.#wake();
    });
    const wake = () => this.#wake();
    environment.signal.addEventListener("abort", wake);
    this.#end = () => {
      end();
      environment.signal.removeEventListener("abort", wake);
    };
  }

  /** Gets ready for what is measured now. */
  async prefer(described: DescribedStudy): Promise<void> {
    if (described.identity === this.#identity) return;
    const study = Object.hasOwn(studies, described.study) ? studies[described.study] : undefined;
    const here = study && (await describeStudy(study, described.settings));
    if (!study || here?.identity !== described.identity)
      throw new SettingError(
        `The study '${described.study}' is run by forwardgrad ${described.version}, whose rows another version may not measure alike; this is ${here?.version ?? "one that does not know it"}. Install the same version here.`,
        { option: "run" },
      );
    this.#study = study;
    this.#identity = described.identity;
    this.#plan = new Map(study.plan(described.settings).map((unit) => [unit.key, unit]));
  }

  async work(task: Task): Promise<void> {
    const message = decodeUnit(task.message);
    if (message?.identity !== this.#identity) {
      // Of a study that came or went meanwhile: for whoever knows it, or for nobody.
      await (task.attempt < attempts ? task.giveBack() : task.done());
      return;
    }
    const unit = this.#plan.get(message.key);
    const { onEvent, environment } = this.#options;
    if (!unit || !this.#study) return task.done();
    onEvent?.({ kind: "measuring", study: this.#study.name, key: unit.key, attempt: task.attempt });
    this.#say(subjects.working, message);
    try {
      const rows = await unit.measure({
        ...environment,
        advance: () => this.#say(subjects.working, message),
      });
      if (!rows) return await task.giveBack();
      const { columns } = this.#study;
      const text = encodeHeader(columns) + encodeRows(columns, rows);
      if (!(await this.#sayUntilStored(subjects.rows, { ...message, rows: text })))
        return await task.giveBack();
      this.units++;
      onEvent?.({ kind: "stored", key: unit.key, units: this.units });
    } catch (error) {
      if (environment.signal.aborted) return await task.giveBack();
      // It may be this machine's fault.
      if (task.attempt < attempts) return await task.giveBack();
      const why = error instanceof Error ? error.message : String(error);
      await this.#sayUntilStored(subjects.failed, { ...message, error: why });
    }
    await task.done();
  }

  stop(): void {
    this.#end();
  }

  #say(subject: string, message: UnitMessage): void {
    this.#options.transport.publish("worker", subject, encode(message));
  }

  /** @returns whether it is stored; not where the worker was told to stop before */
  async #sayUntilStored(subject: string, message: UnitMessage): Promise<boolean> {
    const { signal } = this.#options.environment;
    this.#stored.delete(message.key);
    while (!this.#stored.has(message.key)) {
      if (signal.aborted) return false;
      this.#say(subject, message);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, againMilliseconds);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return true;
  }
}
