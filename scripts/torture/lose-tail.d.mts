/** See lose-tail.mjs. */
export function loseTail(store: string, stream: string, messages: number): Promise<number>;
