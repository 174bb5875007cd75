/** Participants on a real server, each by a line of its own that can be cut. */
import type { NatsOptions } from "../src/distributed/node-nats.ts";
import type { OwnServerOptions } from "../src/distributed/node-server.ts";
import type { Transport } from "../src/distributed/transport.ts";
import { credentialsOf, loseTail, someUsers, temporaryServer } from "./nats-server.ts";
import { type TcpProxy, tcpProxy } from "./tcp-proxy.ts";
import type { Carrier } from "./transport-contract.ts";

export async function natsCarrier(
  options: Pick<OwnServerOptions, "program">,
  join: (options: NatsOptions) => Promise<Transport>,
): Promise<Carrier> {
  const server = await temporaryServer({ ...options, configuration: someUsers });
  const proxies = new Map<Transport, TcpProxy>();
  return {
    async join(user) {
      const proxy = await tcpProxy(Number(new URL(server.url).port));
      const transport = await join({
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
    loseTail: (records) => server.restart(() => loseTail(server.folder, "forwardgrad_contract_log", records)),
    async end() {
      await Promise.all([...proxies.values()].map((proxy) => proxy.close()));
      await server.stop();
    },
  };
}
