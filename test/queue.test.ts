/** What `forwardgrad queue` sees of a training: how far it is, and who works. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lookAtRuns } from "../src/cli/distributed/look-at-runs.ts";
import { connectToServer, joinOnServer } from "../src/distributed/node-nats.ts";
import { trainTogether } from "../src/distributed/run/train-together.ts";
import { work } from "../src/distributed/run/work.ts";
import { mlp } from "../src/models/mlp.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { noServer, type TemporaryServer, temporaryServer } from "./nats-server.ts";

const runtime = nodeRuntime({ threads: 1 });
const count = 40;
const examples = {
  inputs: Float32Array.from({ length: count * 4 }, (_, index) => Math.sin(index * index)),
  labels: Int32Array.from({ length: count }, (_, index) => index % 2),
  ...{ shape: [4], count },
};

describe.skipIf(noServer !== undefined)("a look at a server", () => {
  let server: TemporaryServer;
  beforeAll(async () => {
    server = await temporaryServer();
  });
  afterAll(() => server.stop());

  it("shows a training with its steps and workers, and says that nobody coordinates it afterwards", async () => {
    const { url } = server;
    const { connection } = await connectToServer({ url });
    expect(await lookAtRuns(connection, 10)).toEqual([]);
    const [stop, leave] = [new AbortController(), new AbortController()];
    const transport = await joinOnServer({ url, run: "digits", create: true });
    const worker = await joinOnServer({ url, run: "digits" });
    const working = work({ transport: worker, runtime, signal: leave.signal });
    const model = mlp({ input: [4], hidden: [8], outputs: 2 });
    const steps = 1_000_000;
    const training = (async () => {
      const given = {
        model,
        examples,
        runtime,
        steps,
        batch: 10,
        perturb: "weights",
        signal: stop.signal,
      } as const;
      for await (const event of trainTogether(given, { transport })) if (event.kind === "done") break;
    })();
    let [seen] = await lookAtRuns(connection, 1500);
    while (!seen?.status?.done || !seen.workers[0]?.done) [seen] = await lookAtRuns(connection, 1500);
    expect(seen).toMatchObject({
      run: "digits",
      status: { kind: "training", unit: "steps", total: steps },
      workers: [{ participant: worker.participant, secondsEach: expect.any(Number) }],
    });
    expect(seen.records).toBeGreaterThan(0);
    stop.abort();
    await training;
    leave.abort();
    await working;
    await Promise.all([transport.close(), worker.close()]);
    const [left] = await lookAtRuns(connection, 100);
    expect(left).toMatchObject({ run: "digits", workers: [], status: null, ended: { how: "paused" } });
    await connection.close();
  });
});
