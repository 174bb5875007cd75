/** A status says as much as a message holds. */
import { describe, expect, it } from "vitest";
import { decodeStatus, type Status, statusSubject, tellStatus } from "./status.ts";

const workers = Array.from({ length: 5000 }, (_, index) => ({
  ...{ participant: `ada.${index}`, done: index, secondsEach: null },
  // Some say something more often.
  silent: (index * 7) % 5000,
}));
const status: Status = {
  ...{ kind: "training", name: "mlp", unit: "steps", done: 3, total: 10, seconds: 1, workers },
};

function told(largestMessage: number): Uint8Array | undefined {
  let said: Uint8Array | undefined;
  tellStatus(
    {
      largestMessage,
      publish(role, subject, message) {
        expect([role, subject]).toEqual(["coordinator", statusSubject]);
        said = message;
      },
    },
    status,
  );
  return said;
}

describe("a status", () => {
  it("names all workers where they fit", () => {
    expect(decodeStatus(told(2 ** 20) as Uint8Array)).toEqual(status);
  });

  it("names those that were heard last where they do not, and how many are left out", () => {
    for (const most of [400, 5000, 100_000]) {
      const message = told(most) as Uint8Array;
      expect(message.length).toBeLessThanOrEqual(most);
      const heard = decodeStatus(message) as Status;
      expect(heard.workers.length).toBeGreaterThan(0);
      expect(heard.workers.map(({ silent }) => silent)).toEqual([...heard.workers.keys()]);
      expect(heard.workers.length + (heard.leftOut ?? 0)).toBe(5000);
      // One more would not have fitted.
      expect(message.length).toBeGreaterThan(most - 80);
    }
  });

  it("is not told where nothing fits", () => {
    expect(told(100)).toBeUndefined();
  });
});
