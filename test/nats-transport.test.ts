/** The contract of all transports, on real servers on loopback. */
import { joinOnServer } from "../src/distributed/node-nats.ts";
import { natsCarrier } from "./nats-carrier.ts";
import { noServer, servers } from "./nats-server.ts";
import { transportContract } from "./transport-contract.ts";

for (const program of servers.length > 0 ? servers : [""])
  transportContract(
    `over NATS (${program || "not installed"})`,
    () => natsCarrier({ program }, joinOnServer),
    noServer,
  );
