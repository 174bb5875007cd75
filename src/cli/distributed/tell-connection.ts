/** Says that the connection to a server is lost, or that the server answers nothing, and that it is back: until then, a run waits. */
import type { ConnectionState, Transport } from "../../distributed/transport.ts";
import { say } from "../output.ts";

/** @returns what ends it; before the transport is closed */
export function tellConnection(transport: Transport, url: string): () => void {
  let before: ConnectionState = "connected";
  return transport.onState((state, detail) => {
    if (state === before) return;
    if (state === "disconnected") say(`the connection to ${url} is lost: waiting until it is back …`);
    else if (state === "silent") say(`${detail}; waiting until it answers …`);
    else say(before === "silent" ? `${url} answers again` : `connected to ${url} again`);
    before = state;
  });
}
