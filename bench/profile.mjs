// A runtime whose sessions ONNX Runtime profiles: milliseconds by op type.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as ort from "onnxruntime-node";

/**
 * @returns runtime; byOp, which ends the profiles, deletes their files and gives milliseconds a run by purpose and op:
 *   only of sessions that ran at least `runs` times
 */
export function profilingRuntime({ threads, purposeOf }) {
  const folder = mkdtempSync(join(tmpdir(), "forwardgrad-profile-"));
  const sessions = [];
  const runtime = {
    name: "onnxruntime-node, profiled",
    threads,
    async createSession(model, { optimize = true, arena = true } = {}) {
      const prefix = `session${sessions.length}`;
      const session = await ort.InferenceSession.create(model, {
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        graphOptimizationLevel: optimize ? "all" : "disabled",
        enableCpuMemArena: arena,
        enableMemPattern: arena,
        logSeverityLevel: 3,
        enableProfiling: true,
        profileFilePrefix: join(folder, prefix),
        extra: { session: { intra_op: { allow_spinning: "0" } } },
      });
      const outputs = session.outputMetadata.map(({ name, type }) => [name, type]);
      const outputTypes = Object.fromEntries(outputs);
      const one = { session, prefix, purpose: purposeOf({ outputTypes }), runs: 0 };
      sessions.push(one);
      const wrap = ({ dtype, data, shape }) => new ort.Tensor(dtype, data, shape);
      return {
        outputTypes,
        async run(feeds, fetches) {
          one.runs++;
          const inputs = Object.fromEntries(session.inputNames.map((name) => [name, wrap(feeds[name])]));
          if (fetches && !Array.isArray(fetches)) {
            const into = Object.entries(fetches).map(([name, tensor]) => [name, wrap(tensor)]);
            await session.run(inputs, Object.fromEntries(into));
            return { ...fetches };
          }
          const results = await (fetches ? session.run(inputs, [...fetches]) : session.run(inputs));
          const read = ([name, { type, dims, data }]) => [name, { dtype: type, shape: dims, data }];
          return Object.fromEntries(Object.entries(results).map(read));
        },
        // Kept until the profile is read.
        async release() {},
      };
    },
  };
  return {
    runtime,
    async byOp(runs) {
      const totals = {};
      try {
        for (const { session, prefix, purpose, runs: own } of sessions) {
          session.endProfiling();
          await session.release();
          if (own < runs) continue;
          const file = readdirSync(folder).find((name) => name.startsWith(`${prefix}_`));
          if (!file) continue;
          totals[purpose] ??= {};
          for (const event of JSON.parse(readFileSync(join(folder, file), "utf8"))) {
            if (event.cat !== "Node" || !event.name.endsWith("_kernel_time")) continue;
            const op = event.args.op_name;
            totals[purpose][op] = (totals[purpose][op] ?? 0) + event.dur / 1000 / own;
          }
        }
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
      return totals;
    },
  };
}
