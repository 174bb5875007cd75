/** Offers a study's units to workers, and keeps their rows: each unit's once, whoever measured it and however often. */

import { atOnce } from "../../distributed/at-once.ts";
import { type Status, statusEvery, tellStatus } from "../../distributed/status.ts";
import type { Transport } from "../../distributed/transport.ts";
import { ForwardgradError } from "../../errors/errors.ts";
import type { RunStore } from "../../storage/run-store.ts";
import { decodeRows, encodeHeader, encodeRows } from "../results.ts";
import type { Row, Settings, Study, Unit } from "../study.ts";
import { decodeUnit, describeStudy, encode, objectName, subjects, type UnitMessage } from "./messages.ts";

/** Rows of units that came before it was their turn: a line each. */
const aheadFile = "rows.jsonl";
/** Units that are offered at once. */
const offeredAtOnce = 32;
/** Milliseconds between looks for units that were lost. */
const lostMilliseconds = 5000;

/** A study whose units others measure. */
export interface OfferOptions {
  readonly study: Study;
  readonly settings: Settings;
  readonly transport: Transport;
  /** Where rows are kept until it is their turn. */
  readonly ahead: RunStore;
  /** The user wants to stop. */
  readonly signal: AbortSignal;
  /** Hears what is odd, in words for people. */
  readonly onMessage?: (message: string) => void;
}

/** Units that others measure. */
export interface Offered {
  /** A unit's rows, once they are there; undefined where the user stopped it. */
  measure(unit: Unit): Promise<readonly Row[] | undefined>;
  /** All are measured: workers may leave, and what was kept ahead is removed. */
  finish(): Promise<void>;
  /** Offers nothing more. */
  stop(): Promise<void>;
}

interface Waiting {
  rows?: readonly Row[];
  error?: string;
}

/** What one worker did. */
interface Member {
  heard: number;
  units: number;
  started: number;
  seconds: number;
  key: string | undefined;
}

/**
 * Offers all units that have no rows yet.
 *
 * @throws TransportError when they cannot be offered
 */
export async function offerUnits(units: readonly Unit[], options: OfferOptions): Promise<Offered> {
  const offered = new OfferedUnits(units, options);
  await offered.open();
  return offered;
}

class OfferedUnits implements Offered {
  readonly #units: readonly Unit[];
  readonly #options: OfferOptions;
  readonly #waiting: ReadonlyMap<string, Waiting>;
  readonly #members = new Map<string, Member>();
  readonly #began = performance.now();
  #ends: (() => void)[] = [];
  #described: Awaited<ReturnType<typeof describeStudy>> | undefined;
  /** Whether they were missing at the last look: rows may be under way. */
  #isLost = false;
  #wake: () => void = () => undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(units: readonly Unit[], options: OfferOptions) {
    this.#units = units;
    this.#options = options;
    this.#waiting = new Map(units.map(({ key }) => [key, {}]));
  }

  async open(): Promise<void> {
    const { study, settings, transport, signal } = this.#options;
    const described = await describeStudy(study, settings);
    this.#described = described;
    await this.#readAhead();
    const wake = () => this.#wake();
    signal.addEventListener("abort", wake);
    const timer = setInterval(() => this.#tellStatus(), statusEvery);
    this.#ends = [
      () => signal.removeEventListener("abort", wake),
      () => clearInterval(timer),
      ...([subjects.rows, subjects.failed, subjects.working] as const).map((subject) =>
        transport.subscribe("worker", subject, (message, { sender }) => {
          const unit = decodeUnit(message);
          if (unit && unit.identity === described.identity) this.#hear(unit, sender, subject);
        }),
      ),
    ];
    // What an earlier process offered may be of another study; what is measured of this one meanwhile counts nevertheless.
    await transport.queue.clear();
    await transport.objects.put(objectName, encode(described));
    await this.#offer();
    const again = setInterval(() => void this.#offerLost(), lostMilliseconds);
    this.#ends.push(() => clearInterval(again));
  }

  /** Offers what has no rows. */
  async #offer(): Promise<void> {
    const { transport } = this.#options;
    const identity = this.#described?.identity ?? "";
    const session = crypto.randomUUID();
    const open = this.#units.filter(({ key }) => !this.#waiting.get(key)?.rows);
    await atOnce(offeredAtOnce, open, ({ key }) =>
      transport.queue.offer(`${session}/${key}`, encode({ identity, key })),
    );
  }

  /** Offers units again that nobody has and that wait for nobody: a server lost them, or a worker said that it was done. */
  async #offerLost(): Promise<void> {
    const open = [...this.#waiting.values()].filter(({ rows }) => !rows).length;
    try {
      const { waiting, taken } = await this.#options.transport.queue.counts();
      const isLost = open > 0 && waiting + taken === 0;
      if (isLost && this.#isLost) await this.#offer();
      this.#isLost = isLost && !this.#isLost;
    } catch {
      // The transport is closed.
    }
  }

  async measure(unit: Unit): Promise<readonly Row[] | undefined> {
    const waiting = this.#waiting.get(unit.key);
    for (;;) {
      if (this.#options.signal.aborted || !waiting) return undefined;
      if (waiting.error !== undefined) throw new ForwardgradError(waiting.error);
      if (waiting.rows) return waiting.rows;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async finish(): Promise<void> {
    if (this.#described)
      await this.#options.transport.objects.put(objectName, encode({ ...this.#described, isOver: true }));
    await this.#writing;
    await this.#options.ahead.remove?.(aheadFile);
    await this.stop();
  }

  async stop(): Promise<void> {
    for (const end of this.#ends) end();
    this.#ends = [];
    await this.#writing;
  }

  /** Rows that an earlier process was sent before it was their turn; of the last line, it may have written a part. */
  async #readAhead(): Promise<void> {
    const bytes = await this.#options.ahead.read(aheadFile);
    const lines = new TextDecoder().decode(bytes ?? new Uint8Array()).split("\n");
    let whole = "";
    for (const line of lines) {
      const unit = decodeUnit(new TextEncoder().encode(line));
      if (!unit || unit.identity !== this.#described?.identity) continue;
      whole += `${line}\n`;
      const [waiting, rows] = [this.#waiting.get(unit.key), this.#decode(unit)];
      if (waiting && rows) waiting.rows = rows;
    }
    if (bytes) await this.#options.ahead.write(aheadFile, new TextEncoder().encode(whole));
  }

  #hear(unit: UnitMessage, sender: string, subject: string): void {
    const now = performance.now();
    const member = this.#members.get(sender) ?? {
      heard: now,
      units: 0,
      started: now,
      seconds: 0,
      key: undefined,
    };
    this.#members.set(sender, member);
    member.heard = now;
    if (subject === subjects.working && member.key !== unit.key)
      [member.key, member.started] = [unit.key, now];
    const waiting = this.#waiting.get(unit.key);
    if (!waiting || subject === subjects.working) return;
    if (subject === subjects.failed) {
      waiting.error = unit.error ?? "it could not be measured";
      this.#answer(unit, sender);
    } else this.#keep(unit, waiting, sender, member);
    this.#wake();
  }

  #keep(unit: UnitMessage, waiting: Waiting, sender: string, member: Member): void {
    if (!waiting.rows) {
      const rows = this.#decode(unit);
      if (!rows) {
        this.#options.onMessage?.(
          `What ${sender} sent of ${unit.key} are no rows of this study; it is left out.`,
        );
        return;
      }
      waiting.rows = rows;
      member.units++;
      member.seconds += (performance.now() - member.started) / 1000;
      member.key = undefined;
      const line = new TextDecoder().decode(encode(unit));
      this.#writing = this.#writing.then(() => this.#options.ahead.append(aheadFile, `${line}\n`));
    }
    // The worker forgets the unit when it hears this, so the rows are on disk first.
    void this.#writing.then(
      () => this.#answer(unit, sender),
      (cause: unknown) => {
        waiting.error = `its rows could not be kept: ${cause instanceof Error ? cause.message : cause}`;
        this.#wake();
      },
    );
  }

  #answer({ key, identity }: UnitMessage, sender: string): void {
    this.#options.transport.publish("coordinator", subjects.stored(sender), encode({ key, identity }));
  }

  #decode({ key, rows = "" }: UnitMessage): readonly Row[] | undefined {
    const { columns } = this.#options.study;
    try {
      const decoded = decodeRows(key, new TextEncoder().encode(rows), columns);
      // Whole lines that are written as they are read, and nothing else.
      return encodeHeader(columns) + encodeRows(columns, decoded) === rows ? decoded : undefined;
    } catch {
      return undefined;
    }
  }

  #tellStatus(): void {
    const now = performance.now();
    const status: Status = {
      kind: "study",
      name: this.#options.study.name,
      unit: "units",
      done: [...this.#waiting.values()].filter(({ rows }) => rows).length,
      total: this.#units.length,
      seconds: (now - this.#began) / 1000,
      workers: [...this.#members].map(([participant, { heard, units, seconds, key }]) => ({
        participant,
        done: units,
        secondsEach: units === 0 ? null : seconds / units,
        silent: (now - heard) / 1000,
        ...(key !== undefined && { at: key }),
      })),
    };
    tellStatus(this.#options.transport, status);
  }
}
