/** `forwardgrad report`: a run as a page, or several compared. */
import { existsSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Command } from "commander";
import { compareRuns } from "../../reports/comparison.ts";
import { isReport, runReport } from "../../reports/run-report.ts";
import { runFolder } from "../../storage/node-run-folder.ts";
import { say } from "../output.ts";
import { requireFree } from "../output-file.ts";

interface ReportFlags {
  readonly o?: string;
  readonly overwrite: boolean;
}

export function addReportCommand(program: Command): void {
  program
    .command("report")
    .description("write a run as a page of its own, or compare several runs on one")
    .argument("<run...>", "folders of training runs, finished or not")
    .option("-o <file>", "the page (default: report.html in the run's folder, comparison.html for several)")
    .option("--overwrite", "replace the page, whatever it is", false)
    .addHelpText(
      "after",
      `
A page is one file without scripts, which loads nothing. Each training run writes its own at its end and when it is interrupted.

Examples:
  forwardgrad report runs/mnist
  forwardgrad report runs/a runs/b runs/c -o comparison.html`,
    )
    .action(async (folders: string[], flags: ReportFlags) => {
      const wrong = folders.find((folder) => !isFolder(folder));
      if (wrong !== undefined)
        throw new Error(
          `${wrong}: no such folder; expected the folder of a training run, such as runs/latest.`,
        );
      const stores = folders.map((folder) => runFolder(folder));
      const [first = "."] = folders;
      const path = flags.o ?? (folders.length === 1 ? join(first, "report.html") : "comparison.html");
      requireFree({ path, inputs: [], isOwn: isReport, overwrite: flags.overwrite });
      const [store] = stores;
      const html = stores.length === 1 && store ? await runReport(store) : await compareRuns(stores);
      if (!existsSync(dirname(path)))
        throw new Error(`${dirname(path)}: no such folder; make it, or choose another file (-o).`);
      await runFolder(dirname(path)).write(basename(path), new TextEncoder().encode(html));
      say(`${path}: ${folders.length === 1 ? "the run" : `${folders.length} runs`}`);
    });
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
