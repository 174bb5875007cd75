import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeAnswer,
  decodeNotice,
  decodeQuestion,
  encodeAnswer,
  encodeNotice,
  encodeQuestion,
} from "./messages.ts";
import { decodeRecord, encodeRecord, type RunRecord } from "./records.ts";

const word = fc.nat({ max: 2 ** 32 - 1 });
const before = fc.tuple(word, word);
const step = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const double = fc.double();
const estimate = {
  loss: double,
  counted: fc.array(fc.boolean(), { maxLength: 40 }),
  coefficients: fc.float32Array({ maxLength: 70 }),
};
const records: fc.Arbitrary<RunRecord> = fc.oneof(
  fc.record({ kind: fc.constant("step" as const), step, before, rate: double, ...estimate }),
  fc.record({
    ...{ kind: fc.constant("state" as const), step, before },
    refused: fc.option(fc.record({ step, ...estimate }), { nil: undefined }),
  }),
  fc.record({
    kind: fc.constant("end" as const),
    how: fc.constantFrom("done" as const, "paused" as const, "failed" as const),
    why: fc.string({ unit: "grapheme" }),
  }),
);

describe("records", () => {
  it("are read as they were written, to the last bit", () => {
    fc.assert(
      fc.property(records, (record) => {
        expect(decodeRecord(encodeRecord(record))).toEqual(record);
      }),
    );
  });

  it("of a step take few bytes: 43 and 4 for each of 16 tangents in 4 granules", () => {
    const record: RunRecord = {
      ...{ kind: "step" as const, step: 7, before: [1, 2] as const, rate: 0.1, loss: 2.3 },
      ...{ counted: [true, true, false, true], coefficients: new Float32Array(16) },
    };
    expect(encodeRecord(record).length).toBe(43 + 4 * 16);
  });

  it("that are cut off, longer, or of another version are refused by name", () => {
    fc.assert(
      fc.property(records, fc.nat(), (record, at) => {
        const bytes = encodeRecord(record);
        expect(() => decodeRecord(bytes.slice(0, at % bytes.length))).toThrow("is damaged");
        expect(() => decodeRecord(Uint8Array.of(...bytes, 0))).toThrow("is damaged");
        expect(() => decodeRecord(Uint8Array.of(9, ...bytes.slice(1)))).toThrow(
          "version 9, and this program reads 1",
        );
      }),
    );
  });
});

describe("messages", () => {
  const position = { after: step, step, before };
  it("are read as they were written", () => {
    const shares = fc
      .dictionary(fc.string(), fc.array(word, { maxLength: 5 }), { maxKeys: 5 })
      .map((all) => new Map(Object.entries(all)));
    fc.assert(
      fc.property(fc.record({ ...position, shares }), (question) => {
        expect(decodeQuestion(encodeQuestion(question))).toEqual(question);
      }),
    );
    const derivatives = fc.float32Array({ maxLength: 20 }).map((values) => Float64Array.from(values));
    fc.assert(
      fc.property(fc.record({ ...position, granule: word, loss: double, derivatives }), (answer) => {
        expect(decodeAnswer(encodeAnswer(answer))).toEqual(answer);
      }),
    );
    expect(decodeNotice(encodeNotice("a.b", "why"))).toEqual({ participant: "a.b", why: "why" });
  });

  it("that are none are passed over, whatever anybody says", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const decode of [decodeQuestion, decodeAnswer, decodeNotice])
          expect(() => decode(bytes)).not.toThrow();
        expect(decodeAnswer(Uint8Array.of(7, ...bytes))).toBeUndefined();
      }),
    );
  });
});
