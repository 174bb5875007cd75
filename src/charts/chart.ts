/** A Vega-Lite specification: plain JSON, data inside. `charts.ts` beside it builds the usual ones. */
export type VegaLiteSpec = Readonly<Record<string, unknown>>;

/** A chart of a report: data until something draws it. */
export interface Chart {
  /** Name of its files: "cosine-over-n". */
  readonly name: string;
  /** Its heading. */
  readonly title: string;
  /** One or two sentences: what is drawn how, and what to see. */
  readonly caption: string;
  /**
   * The specification of the chart, this wide.
   *
   * @param width pixels for the whole chart, axes included: about 700 on a desk, about 340 on a phone
   */
  spec(width: number): VegaLiteSpec;
}
