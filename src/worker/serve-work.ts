/** The worker's side: works for a run on a server, and tells its page of it. */
import { joinFromPage } from "../distributed/nats/join-from-page.ts";
import { work } from "../distributed/run/work.ts";
import type { WorkResult } from "../distributed/work-events.ts";
import { plainError } from "../errors/plain-errors.ts";
import { webRuntime } from "../runtime/web.ts";
import { holdLock } from "./life.ts";
import type { WorkerScope } from "./serve-training.ts";
import type { AskedWork, PageWorkEvent, WorkReply, WorkRequest } from "./work-messages.ts";

/**
 * Makes a worker work for runs that its page names by `workInWorker`: `serveWork(self)` is all that the worker's module needs.
 * Other messages are left alone.
 */
export function serveWork(scope: WorkerScope): void {
  const leaving = new Map<string, AbortController>();
  scope.addEventListener("message", ({ data }) => {
    if (!isRequest(data)) return;
    if (data.kind === "leave") leaving.get(data.run)?.abort();
    else {
      const leave = new AbortController();
      leaving.set(data.run, leave);
      void serve(data.run, data.options, leave.signal, (reply) => scope.postMessage(reply)).then(() =>
        leaving.delete(data.run),
      );
    }
  });
}

function isRequest(data: unknown): data is WorkRequest {
  const { run, kind } = (data ?? {}) as Partial<WorkRequest>;
  return typeof run === "string" && (kind === "work" || kind === "leave");
}

async function serve(
  run: string,
  asked: AskedWork,
  signal: AbortSignal,
  post: (reply: WorkReply) => void,
): Promise<void> {
  await holdLock(run, (isLocked) => post({ run, kind: "alive", isLocked }));
  try {
    const result = await workAsAsked(asked, signal, (event) => post({ run, kind: "event", event }));
    post({ run, kind: "ended", result });
  } catch (error) {
    post({ run, kind: "failed", error: plainError(error) });
  }
}

async function workAsAsked(
  { runtime: device, ...where }: AskedWork,
  signal: AbortSignal,
  onEvent: (event: PageWorkEvent) => void,
): Promise<WorkResult> {
  const runtime = await webRuntime(device);
  const transport = await joinFromPage(where, signal, () => onEvent({ kind: "waiting" }));
  if (!transport) return { how: "stopped", why: "", granules: 0, steps: 0 };
  const silence = transport.onState((kind, detail) => onEvent({ kind, detail }));
  try {
    return await work({
      ...{ transport, runtime, signal },
      // A page may be closed at any moment, and its computer asleep.
      takesOver: false,
      onEvent(event) {
        if (event.kind !== "leads" && event.kind !== "run") onEvent(event);
      },
    });
  } finally {
    silence();
    await transport.close();
  }
}
