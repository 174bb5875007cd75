/** The page's side: work for somebody's run, in a worker of the page's own. */

import { TransportError } from "../distributed/transport-error.ts";
import type { WorkResult } from "../distributed/work-events.ts";
import { DeviceError } from "../errors/errors.ts";
import { errorFrom } from "../errors/plain-errors.ts";
import { deferred } from "./deferred.ts";
import { hearDeath } from "./life.ts";
import type { WorkerLike } from "./train-in-worker.ts";
import type { AskedWork, PageWorkEvent, WorkReply, WorkRequest } from "./work-messages.ts";

/** How a page works for a run. */
export interface PageWorkOptions extends AskedWork {
  /** Ends the work after the granule at hand. Default: it ends with the run. */
  readonly signal?: AbortSignal;
  /** Hears what happens. Default: nobody does. */
  readonly onEvent?: (event: PageWorkEvent) => void;
}

/**
 * Works for a run on a NATS server, in a worker whose module calls `serveWork(self)`: the page stays free. As `work` does, it knows
 * nothing of the run before, and ends with it; but it never coordinates.
 *
 * @throws as `work`; TransportError when no server lets the page in; DeviceError when the worker is gone
 */
export function workInWorker(worker: WorkerLike, options: PageWorkOptions): Promise<WorkResult> {
  const { signal, onEvent = () => {}, ...asked } = options;
  const run = crypto.randomUUID();
  const end = deferred<WorkResult>();
  const die = (how: string) =>
    end.reject(new DeviceError(`The worker is gone: ${how}.`, { device: "worker" }));
  const lives = hearDeath(worker, run, die);
  worker.addEventListener("message", ({ data }) => {
    const reply = data as Partial<WorkReply> | null;
    if (reply?.run !== run) return;
    const told = reply as WorkReply;
    if (told.kind === "alive") lives(told.isLocked);
    else if (told.kind === "event") onEvent(told.event);
    else if (told.kind === "ended") end.resolve(told.result);
    else end.reject(errorFrom(told.error, { TransportError }));
  });
  const send = (request: WorkRequest) => worker.postMessage(request);
  send({ run, kind: "work", options: asked });
  const leave = () => send({ run, kind: "leave" });
  if (signal?.aborted) leave();
  else signal?.addEventListener("abort", leave, { once: true });
  return end.promise;
}
