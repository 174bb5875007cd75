/** How long work will still take, from the share that is done. */
import { formatDuration } from "../studies/report.ts";

/** Measures from the first share that it is told on, which may have been done before. */
export class TimeLeft {
  #first: { readonly share: number; readonly at: number } | undefined;

  /** @returns such as "3 min", or "–" while nothing is known */
  at(share: number): string {
    const now = performance.now();
    this.#first ??= { share, at: now };
    const gained = share - this.#first.share;
    return gained > 0 ? formatDuration(((now - this.#first.at) / 1000) * ((1 - share) / gained)) : "–";
  }
}
