/** The contract of all transports, on real servers on loopback. */
import { joinOnServer } from "../src/distributed/node-nats.ts";
import type { Transport } from "../src/distributed/transport.ts";
import { credentialsOf, loseTail, noServer, servers, someUsers, temporaryServer } from "./nats-server.ts";
import { type TcpProxy, tcpProxy } from "./tcp-proxy.ts";
import { transportContract } from "./transport-contract.ts";

for (const program of servers.length > 0 ? servers : [""])
  transportContract(
    `over NATS (${program || "not installed"})`,
    async () => {
      const server = await temporaryServer({ program, configuration: someUsers });
      const proxies = new Map<Transport, TcpProxy>();
      return {
        async join(user) {
          const proxy = await tcpProxy(Number(new URL(server.url).port));
          const transport = await joinOnServer({
            url: `nats://127.0.0.1:${proxy.port}`,
            credentials: await credentialsOf(user, server.folder),
            run: "contract",
            create: true,
            taskMilliseconds: 2000,
          });
          proxies.set(transport, proxy);
          return transport;
        },
        line: {
          cut: async (participant) => proxies.get(participant)?.cut(),
          heal: async (participant) => proxies.get(participant)?.heal(),
        },
        loseTail: (records) =>
          server.restart(() => loseTail(server.folder, "forwardgrad_contract_log", records)),
        async end() {
          await Promise.all([...proxies.values()].map((proxy) => proxy.close()));
          await server.stop();
        },
      };
    },
    noServer,
  );
