/** What the WebAssembly module exports; ../kernel.ts describes it to TypeScript. */
export { chunkNumbers } from "./draw";
export {
  claimJob,
  closeRounds,
  drawJob,
  finishedJob,
  freeSlot,
  jobLimit,
  jobsAt,
  openRound,
  serve,
  slotOf,
} from "./jobs";
