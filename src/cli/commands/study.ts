/** `forwardgrad study`: runs an experiment, and writes its report. */
import { join } from "node:path";
import { SingleBar } from "cli-progress";
import { Argument, type Command, InvalidArgumentError, Option } from "commander";
import packageJson from "../../../package.json" with { type: "json" };
import { joinByThread } from "../../distributed/node-nats-transport.ts";
import { nodeRuntime } from "../../runtime/node.ts";
import { nearest } from "../../settings/nearest.ts";
import { inRunFolder, runFolder } from "../../storage/node-run-folder.ts";
import type { RunStore } from "../../storage/run-store.ts";
import { formatDuration, htmlReport, markdownReport, type Report, summaryCsv } from "../../studies/report.ts";
import { runStudy, type StudyEvent } from "../../studies/run.ts";
import { resolveSettings, type Scale } from "../../studies/settings.ts";
import { type OfferOptions, offerUnits } from "../../studies/spread/offer.ts";
import { studies } from "../../studies/studies.ts";
import type { Results, Study, Unit, Verdict } from "../../studies/study.ts";
import { legendOf, marks, outcomeOf, outcomeText, whyText } from "../../studies/verdict.ts";
import { isLeft, leaveInTime } from "../distributed/leave-in-time.ts";
import { datasetLoader } from "../flags/datasets.ts";
import { hasFile, inFolder } from "../flags/default-folder.ts";
import { addServerFlags, runNameOf, type ServerFlags, serverOf } from "../flags/distributed-flags.ts";
import { wholeNumber } from "../flags/options.ts";
import { interruptible } from "../interrupt.ts";
import { printJson, progressStream, say } from "../output.ts";
import { TimeLeft } from "../time-left.ts";

interface StudyFlags extends ServerFlags {
  readonly distribute?: string;
  readonly quick: boolean;
  readonly tiny: boolean;
  readonly set?: Readonly<Record<string, string>>;
  readonly out?: string;
  readonly dataDir?: string;
  readonly resume: boolean;
  readonly overwrite: boolean;
  readonly threads?: number;
  readonly json: boolean;
}

/** What a finished study printed and left behind. */
interface StudyOutcome {
  readonly study: string;
  readonly settings: Results["settings"];
  readonly rows: number;
  readonly seconds: number;
  readonly verdicts: readonly Verdict[];
  /** Path of the report's page. */
  readonly report: string;
}

export function addStudyCommand(program: Command): void {
  const list = Object.values(studies);
  const command = program
    .command("study")
    .description("measure what the method's paper claims, and write a report")
    .addArgument(new Argument("<name>", `study (${Object.keys(studies).join(", ")})`).argParser(knownStudy))
    .option("--quick", "smaller settings, done within 3 minutes on 2 cores", false)
    .addOption(new Option("--tiny", "the smallest settings, to try the command").default(false).hideHelp())
    .option("--set <name=value>", "change a setting; may be given several times, lists are 1,2,4", setting)
    .option(
      "--out <folder>",
      "folder for results and report (default: runs/<name> or runs/<name>-quick, with a number where that exists)",
    )
    .option("--data-dir <folder>", "folder with the dataset's files, for studies that read one")
    .option(
      "--resume",
      "go on with the study in --out, or start it; without --out, with the newest one that is not complete",
      false,
    )
    .option("--overwrite", "start anew in --out, and remove the study that it holds", false)
    .option("--threads <n>", "threads (default: all cores)", wholeNumber(1))
    .option(
      "--distribute <url>",
      "have its units measured by workers (forwardgrad worker URL) on a NATS server, not here",
    );
  addServerFlags(command, "the run's name on the server (default: that of the folder)")
    .option("--json", "print one JSON object on the last line of stdout", false)
    .addHelpText(
      "after",
      `
Studies:
${list.map(({ name, title, source }) => `  ${name.padEnd(18)}${title} (${source})`).join("\n")}

Examples:
  forwardgrad study ${list[0]?.name} --quick
  forwardgrad study ${list[0]?.name} --out runs/${list[0]?.name} --resume
  forwardgrad study ${list[0]?.name} --distribute nats://127.0.0.1:4222`,
    )
    .action(async (study: Study, flags: StudyFlags) => {
      const outcome = await measureAndReport(study, flags);
      if (flags.json) printJson(outcome);
      else say(...summary(outcome));
    });
}

function knownStudy(given: string): Study {
  const study = Object.hasOwn(studies, given) ? studies[given] : undefined;
  if (study) return study;
  const names = Object.keys(studies);
  const [near] = nearest(given, names);
  throw new InvalidArgumentError(`${near ? `Did you mean ${near}? ` : ""}Studies: ${names.join(", ")}.`);
}

/** NAME=VALUE, collected. */
function setting(given: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const split = given.indexOf("=");
  if (split < 1) throw new InvalidArgumentError("Expected NAME=VALUE, for example samples=100.");
  return { ...before, [given.slice(0, split)]: given.slice(split + 1) };
}

function measureAndReport(study: Study, flags: StudyFlags): Promise<StudyOutcome> {
  const scale: Scale = flags.tiny ? "tiny" : flags.quick ? "quick" : "full";
  const name = `runs/${study.name}${scale === "full" ? "" : `-${scale}`}`;
  const own = { name, resume: flags.resume, isComplete: hasFile("report.html") };
  return inFolder(flags.out, own, (out) => measureIn(out, study, scale, flags));
}

async function measureIn(out: string, study: Study, scale: Scale, flags: StudyFlags): Promise<StudyOutcome> {
  const settings = resolveSettings(study, scale, flags.set);
  const runtime = nodeRuntime({ threads: flags.threads });
  return inRunFolder(out, async (store) => {
    const { results, seconds } = await interruptible(async (signal) => {
      const bar = progressBar(study.name);
      const spread = await spreadOver(out, { study, settings, signal, flags });
      const environment = { runtime, signal, dataset: datasetLoader(flags.dataDir), scratch: scratchIn(out) };
      const events = runStudy({
        study,
        settings,
        store,
        environment,
        resume: flags.resume,
        overwrite: flags.overwrite,
        onAdvance: bar.advance,
        ...(spread && { elsewhere: spread.offer }),
      });
      try {
        return await follow(events, bar, out);
      } catch (error) {
        if (isLeft(error, signal)) return undefined;
        throw error;
      } finally {
        bar.stop();
        spread?.leaving();
        await spread?.transport.close();
      }
    });
    const software = `forwardgrad ${packageJson.version} and ${runtime.name} (${runtime.threads} ${runtime.threads === 1 ? "thread" : "threads"})`;
    await writeReport(store, { study, scale, results, seconds, software });
    const verdicts = study.verdicts(results);
    return {
      study: study.name,
      settings,
      rows: results.rows.length,
      seconds,
      verdicts,
      report: join(out, "report.html"),
    };
  });
}

/** Vega takes a while to load, so only a finished study loads it. */
async function writeReport(store: RunStore, given: Omit<Report, "drawn">): Promise<void> {
  const { drawChart, narrowChart, styled, wideChart } = await import("../../charts/vega.ts");
  const { study, results } = given;
  const drawn: Report["drawn"][number][] = [];
  const write = (name: string, text: string) => store.write(name, new TextEncoder().encode(text));
  for (const chart of study.charts(results)) {
    const [wide, narrow] = [
      await drawChart(chart, wideChart, "page"),
      await drawChart(chart, narrowChart, "page"),
    ];
    drawn.push({ chart, wide, narrow });
    await write(`charts/${chart.name}.svg`, await drawChart(chart, wideChart, "file"));
    await write(`charts/${chart.name}.vl.json`, `${JSON.stringify(styled(chart, wideChart, "file"))}\n`);
  }
  const report = { ...given, drawn };
  await write("summary.csv", summaryCsv(report));
  await write("report.md", markdownReport(report));
  await write("report.html", htmlReport(report));
}

/** The server on which workers measure a study's units; undefined where they are measured here. */
async function spreadOver(
  out: string,
  {
    study,
    settings,
    signal,
    flags,
  }: Pick<OfferOptions, "study" | "settings" | "signal"> & { readonly flags: StudyFlags },
) {
  const { distribute } = flags;
  if (distribute === undefined) {
    for (const name of ["run", "credentials", "certificate"] as const)
      if (flags[name] !== undefined)
        throw new Error(`--${name} goes with workers elsewhere (--distribute URL); leave it out.`);
    return undefined;
  }
  const run = flags.run ?? runNameOf(out);
  const transport = await joinByThread({ ...serverOf(distribute, flags), run, create: true });
  say(
    `run ${run} on ${distribute}: forwardgrad worker ${distribute} --run ${run} measures units of it, on any machine`,
  );
  const given = { study, settings, transport, signal, onMessage: say };
  // The folder is there once the study has begun.
  const offer = (units: readonly Unit[]) => offerUnits(units, { ...given, ahead: scratchIn(out)("ahead") });
  return { transport, offer, leaving: leaveInTime(transport, signal) };
}

/** Folders of units' checkpoints, made when first used. */
function scratchIn(out: string): (name: string) => RunStore {
  return (name) => runFolder(join(out, "work", ...name.split("/")));
}

interface StudyBar {
  start(share: number): void;
  /** @param share the part of the whole work that is done, 0 to 1 */
  advance(share: number, key?: string): void;
  stop(): void;
}

/** A bar with the time left on a terminal; elsewhere a line a minute. */
function progressBar(name: string): StudyBar {
  const isTerminal = progressStream.isTTY === true;
  const bar = new SingleBar({
    format: `{bar} {percentage} % · ${name} {key} · {left} left`,
    stream: progressStream,
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
  });
  let [spoken, shown] = [performance.now(), ""];
  const timeLeft = new TimeLeft();
  return {
    start(share) {
      spoken = performance.now();
      timeLeft.at(share);
      if (isTerminal) bar.start(1000, Math.floor(1000 * share), { key: "", left: "–" });
    },
    advance(share, key = shown) {
      shown = key;
      if (isTerminal) return bar.update(Math.floor(1000 * share), { key, left: timeLeft.at(share) });
      if (performance.now() - spoken < 60_000) return;
      spoken = performance.now();
      say(`${(100 * share).toFixed(1)} %, ${key}, ${timeLeft.at(share)} left`);
    },
    stop: () => bar.stop(),
  };
}

async function follow(
  events: AsyncGenerator<StudyEvent, void>,
  bar: StudyBar,
  out: string,
): Promise<{ readonly results: Results; readonly seconds: number } | undefined> {
  for await (const event of events) {
    switch (event.kind) {
      case "start": {
        const resumed = event.finished > 0 ? `, ${event.finished} of them done` : "";
        say(`${event.units} units of work${resumed} → ${out}`);
        bar.start(event.share);
        break;
      }
      case "unit":
        bar.advance(event.share, event.key);
        break;
      case "interrupted":
        bar.stop();
        say(`Saved ${event.finished} finished units in ${out}.`);
        return undefined;
      case "done":
        return { results: event.results, seconds: event.seconds };
    }
  }
  return undefined;
}

function summary({ verdicts, report, seconds, rows }: StudyOutcome): string[] {
  return [
    ...verdicts.flatMap(verdictLines),
    ...[legendOf(verdicts) ?? []].flat(),
    `${rows.toLocaleString("en")} rows in ${formatDuration(seconds)}; report: ${report}`,
  ];
}

/** A verdict that holds takes a line; another one says first why not, and then by which numbers. */
function verdictLines(verdict: Verdict): string[] {
  const start = `${marks[outcomeOf(verdict)]} ${verdict.statement}:`;
  if (verdict.holds === true) return [`${start} ${verdict.evidence}`];
  return [
    `${start} ${outcomeText(verdict)}. ${whyText(verdict)}`,
    ...(verdict.evidence ? [`  ${verdict.evidence}`] : []),
  ];
}
