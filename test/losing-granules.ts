/** A source of derivatives that loses some. */
import { openGranulePass } from "../src/distributed/weights/granule.ts";
import type { DerivativeSource, GranuleRun } from "../src/distributed/weights/granules.ts";

/** Granules of which one after the other is missing in each step. */
export function losing(): DerivativeSource {
  let run: GranuleRun | undefined;
  let pass: Awaited<ReturnType<typeof openGranulePass>> | undefined;
  let turn = 0;
  return {
    async open(given) {
      run = given;
      pass = await openGranulePass(given.objective, given.method.sampler, given.size, given.sliced?.slices);
    },
    async measure(fed, key) {
      const { granules = [] } = run ?? {};
      const derivatives = new Float64Array(run?.method.tangents ?? 0).fill(Number.NaN);
      const missing = turn++ % granules.length;
      const counted = granules.map((_, index) => index !== missing);
      let loss = 0;
      for (const [index, granule] of granules.entries()) {
        if (index === missing) continue;
        const measured = await pass?.measure(fed, key, granule);
        derivatives.set(measured?.derivatives ?? [], granule.first);
        loss = measured?.loss ?? loss;
      }
      return { loss, derivatives, counted };
    },
    release: async () => pass?.release(),
  };
}
