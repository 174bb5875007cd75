/** Says that the connection to a server is lost, and that it is back: until then, a run waits. */
import type { Transport } from "../../distributed/transport.ts";
import { say } from "../output.ts";

/** @returns what ends it; before the transport is closed */
export function tellConnection(transport: Transport, url: string): () => void {
  let isLost = false;
  return transport.onState((state) => {
    if (state === "disconnected" && !isLost)
      say(`the connection to ${url} is lost: waiting until it is back …`);
    if (state === "connected" && isLost) say(`connected to ${url} again`);
    isLost = state === "disconnected";
  });
}
