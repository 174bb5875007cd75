/** Parameters, gradients or optimizer state, by name. */
export type Arrays = Readonly<Record<string, Float32Array>>;

/** A rule that moves parameters against a gradient. Its state is plain data, so that a checkpoint can hold it. */
export interface Optimizer {
  readonly name: string;
  /** State before the first step. */
  init(parameters: Arrays): Arrays;
  /** Moves `parameters` one step; writes into `parameters` and `state`, so that no step allocates. */
  update(parameters: Arrays, gradients: Arrays, state: Arrays, learningRate: number): void;
}
