/** What a page or a worker offers beside an engine: threads, and a moment for everything else. */

/** As much of a page's globals as is used here, because they differ between pages, workers and what Node declares. */
interface Page {
  readonly crossOriginIsolated?: boolean;
  readonly navigator?: {
    readonly hardwareConcurrency?: number;
    readonly gpu?: { requestAdapter(): Promise<object | null> };
  };
  readonly WebAssembly?: { readonly Suspending?: unknown };
  readonly Worker?: new (address: string) => Worker;
  readonly scheduler?: { yield?(): Promise<void> };
}

interface Worker {
  onerror: ((event: { preventDefault(): void }) => void) | null;
  postMessage(message: unknown): void;
  terminate(): void;
}

export const page = globalThis as Page;

/**
 * A function that returns at once until `milliseconds` have passed since it last gave way, and then after the page has had a turn: on
 * WebAssembly a promise that is awaited lets nothing paint, and no click through.
 */
export function pacemaker(milliseconds: number): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < milliseconds) return;
    await macrotask();
    last = performance.now();
  };
}

function macrotask(): Promise<void> {
  return page.scheduler?.yield ? page.scheduler.yield() : afterMessages();
}

/** Resolves when messages that have come already were handled, which need not be so when a scheduler yields. */
export function afterMessages(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener("message", () => {
      port1.close();
      resolve();
    });
    port1.start();
    port2.postMessage(undefined);
  });
}

/** A thread of the number kernel, as `Runtime.startThread` says. Where a policy forbids it, what it would draw is drawn by the caller. */
export function startThread(module: object, memory: object, index: number): { stop(): Promise<void> } {
  const code =
    "onmessage = ({ data: { module, memory, index } }) => " +
    "new WebAssembly.Instance(module, { env: { memory } }).exports.serve(index);";
  const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  let worker: Worker | undefined;
  try {
    worker = page.Worker && new page.Worker(address);
    // Without a listener its failure would be reported to the page; nobody needs the thread for more than speed.
    if (worker) worker.onerror = (event) => event.preventDefault();
    worker?.postMessage({ module, memory, index });
  } catch {
    worker = undefined;
  }
  return {
    async stop() {
      worker?.terminate();
      URL.revokeObjectURL(address);
    },
  };
}
