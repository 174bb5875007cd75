/** The digits that the lab's worker draws, once a page. */
import type { Dataset } from "forwardgrad/data";

let asked: Promise<Dataset> | undefined;

/** 8,000 to train on and 1,000 others, as bytes. */
export function drawnDigits(worker: Worker): Promise<Dataset> {
  asked ??= new Promise((resolve) => {
    const hear = ({ data: told }: MessageEvent) => {
      if (!told?.digits) return;
      worker.removeEventListener("message", hear);
      resolve(told.digits as Dataset);
    };
    worker.addEventListener("message", hear);
    worker.postMessage("digits");
  });
  return asked;
}
