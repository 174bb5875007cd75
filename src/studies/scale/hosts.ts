/** Where workers stand: what their machines and lines can do. */

/** A machine and its line to a server, as the simulator sees them. */
export interface Host {
  /** Operations of products that a machine does in a second: a multiplication and an addition are two. */
  readonly operations: number;
  /** Numbers of tangents that it draws again, multiplies and adds in a second, to form an update. */
  readonly draws: number;
  /** One way to the server, in seconds. */
  readonly latency: number;
  /** Bytes a second, each way. */
  readonly bandwidth: number;
}

/**
 * Round numbers of 2026: a datacentre's graphics card, the machine of two cores that `bench/README.md` is about with lines of an
 * office and of a home, and a phone. Draws of the two in the middle were measured there; a card is as far from its products'
 * speed as memory is (4 bytes a number at 2 TB/s), a phone a third of a laptop.
 */
export const hosts = {
  datacentre: { operations: 1e14, draws: 5e11, latency: 1e-5, bandwidth: 1.25e10 },
  office: { operations: 1e11, draws: 3e8, latency: 3e-4, bandwidth: 1.25e8 },
  homes: { operations: 1e11, draws: 3e8, latency: 2e-2, bandwidth: 1.25e6 },
  phones: { operations: 3e10, draws: 1e8, latency: 5e-2, bandwidth: 1.25e5 },
} as const satisfies Readonly<Record<string, Host>>;

export type HostName = keyof typeof hosts;
