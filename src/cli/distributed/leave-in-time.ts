/** Ctrl-C while the server is gone, or silent: it is waited for so long and no longer, and what waits for it ends. */
import type { Transport } from "../../distributed/transport.ts";
import { TransportError } from "../../distributed/transport-error.ts";

/** Milliseconds that a server which is gone has to come back after Ctrl-C. */
const patience = 5000;

/**
 * Closes a transport whose server is gone, some time after the signal.
 *
 * @returns what ends that
 */
export function leaveInTime(transport: Transport, signal: AbortSignal | undefined): () => void {
  if (!signal) return () => undefined;
  let isLost = false;
  let timer: NodeJS.Timeout | undefined;
  const weigh = () => {
    clearTimeout(timer);
    if (isLost && signal.aborted) timer = setTimeout(() => void transport.close(), patience);
  };
  const end = transport.onState((state) => {
    isLost = state !== "connected";
    weigh();
  });
  signal.addEventListener("abort", weigh);
  return () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", weigh);
    end();
  };
}

/** Whether an error is that of a transport which was left so. */
export function isLeft(error: unknown, signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true && error instanceof TransportError && error.reason === "closed";
}
