/** What a stream of examples is: they are read as they are needed. */

/** Numbers of one of a model's inputs, one after the other. */
type Numbers = Float32Array | Uint8Array | readonly number[];

/** One example of a stream. */
export interface StreamedExample {
  /** In the shape of the model's input; bytes stand for value / 255. For a model of several inputs: such numbers by the inputs' names. */
  readonly inputs: Numbers | Readonly<Record<string, Numbers>>;
  /** Its class number or target value, or those of all its positions. */
  readonly labels: number | Int32Array | Float32Array | readonly number[];
  /** Shape of the example, of all inputs or by their names. Default: that of the model's input. */
  readonly shape?: readonly number[] | Readonly<Record<string, readonly number[]>>;
  /** Shape of the labels. Default: one number, or as many as there are in a row. */
  readonly targetShape?: readonly number[];
}

/** Examples that come one after the other and need not fit into memory. */
export interface ExampleStream {
  /**
   * Begins a pass: called once for each epoch with its number from 0, and again where a run is resumed in the middle of one. Gives the
   * same examples in the same order each time for the same pass.
   */
  readonly stream: (pass: number) => AsyncIterable<StreamedExample> | Iterable<StreamedExample>;
  /** How many examples a pass has; what comes after them is not read. Default: as many as come, counted before training. */
  readonly count?: number;
  /** How many of them are in memory, of which each example is drawn at random; 1 keeps their order. Default 10,000. */
  readonly buffer?: number;
}

/** How many examples are in memory where nobody says it. */
export const defaultBuffer = 10_000;
