// How the JavaScript peers talk to the driver; problem.py describes the protocol.
import { createInterface } from "node:readline";

export const config = JSON.parse(process.argv[2]);
// Ctrl-C is the driver's to handle; it closes our input.
process.on("SIGINT", () => {});

/**
 * Answers the driver.
 *
 * @param step ends when its results are there
 */
export async function serve(step, version, derivativeError) {
  await step();
  console.log(JSON.stringify({ ready: true, version, derivativeError }));
  for await (const line of createInterface({ input: process.stdin })) {
    const milliseconds = [];
    for (let count = JSON.parse(line).steps; count > 0; count--) {
      const start = performance.now();
      await step();
      milliseconds.push(performance.now() - start);
    }
    console.log(JSON.stringify({ milliseconds }));
  }
  process.exit(0);
}
