/** The lab's worker: trains for the page, draws the digits to train on, and reads what people drop, which would stop the page for a second. */
import { glyphs } from "forwardgrad";
import { serveTraining } from "forwardgrad/web";
import { counts } from "./digits/counts.ts";
import type { Asked } from "./own/asked.ts";

serveTraining(self);
addEventListener("message", ({ data }) => {
  if (data === "digits") postMessage({ digits: glyphs(counts) });
  else if (typeof data?.own === "number")
    void import("./own/reading.ts").then(({ answer }) =>
      answer(data as Asked, (told, transfer) => postMessage(told, { transfer })),
    );
});
