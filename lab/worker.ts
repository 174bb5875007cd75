/** The lab's worker: trains for the page, and draws the digits to train on, which would stop the page for a second. */
import { glyphs } from "forwardgrad";
import { serveTraining } from "forwardgrad/web";
import { counts } from "./digits/counts.ts";

serveTraining(self);
addEventListener("message", ({ data }) => {
  if (data === "digits") postMessage({ digits: glyphs(counts) });
});
