/** What a page says to its worker that works for somebody's run, and what it hears. */
import type { PageJoinOptions } from "../distributed/nats/join-from-page.ts";
import type { ConnectionState } from "../distributed/transport.ts";
import type { WorkEvent, WorkResult } from "../distributed/work-events.ts";
import type { PlainError } from "../errors/plain-errors.ts";
import type { WebRuntimeOptions } from "../runtime/web.ts";

/** What a worker is asked to work for. */
export interface AskedWork extends PageJoinOptions {
  /** How the worker's engine computes; default: on WebAssembly. */
  readonly runtime?: WebRuntimeOptions;
}

/** What happens to a page's worker, by its `kind`: what happens to any, and to its line to the server, whose `detail` is in words. */
export type PageWorkEvent =
  | Exclude<WorkEvent, { readonly kind: "leads" | "run" }>
  | { readonly kind: ConnectionState; readonly detail: string };

/** To the worker; `run` tells one piece of work from another. */
export type WorkRequest = { readonly run: string } & (
  | { readonly kind: "work"; readonly options: AskedWork }
  /** Ends the work after the granule at hand. */
  | { readonly kind: "leave" }
);

/** From the worker. */
export type WorkReply = { readonly run: string } & (
  | { readonly kind: "alive"; readonly isLocked: boolean }
  | { readonly kind: "event"; readonly event: PageWorkEvent }
  | { readonly kind: "ended"; readonly result: WorkResult }
  | { readonly kind: "failed"; readonly error: PlainError }
);
