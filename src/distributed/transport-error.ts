/** What a transport throws. */
import { ForwardgradError } from "../errors/errors.ts";
import type { Words } from "../errors/words.ts";

/**
 * Why: it was `closed`; the server `refused`, by the rights of these credentials; what is kept has no more room (`full`);
 * the message is `too-large`; nobody can be reached there, or what is needed is not installed (`unavailable`).
 */
export type TransportReason = "closed" | "refused" | "full" | "too-large" | "unavailable";

/** What is said or kept between machines could not be, for a reason that waiting does not end. */
export class TransportError extends ForwardgradError {
  override readonly name: string = "TransportError";
  /** Why, in one word. */
  readonly reason: TransportReason;

  constructor(
    message: string | Words,
    { reason, ...rest }: { readonly reason: TransportReason; readonly cause?: unknown },
  ) {
    super(message, rest);
    this.reason = reason;
  }
}

/** A message that does not fit. */
export function tooLarge(bytes: number, most: number): TransportError {
  return new TransportError(
    `A message between participants has at most ${most} bytes here, received ${bytes}. Send it in parts, or keep it as an object.`,
    { reason: "too-large" },
  );
}

/** What waited when its transport was closed. */
export function closed(): TransportError {
  return new TransportError("This participant has left the run: its transport was closed.", {
    reason: "closed",
  });
}

/** What is to be kept where there is no more room. */
export function full(what: string, cause?: unknown): TransportError {
  const why = cause instanceof Error ? ` (${cause.message})` : "";
  return new TransportError(
    `There is no more room for ${what}${why}. Give the server more (max_file_store in its configuration, or disk), or forget what is no longer needed.`,
    { reason: "full", ...(cause !== undefined && { cause }) },
  );
}
