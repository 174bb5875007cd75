/** As much of WebAssembly as is used here, because neither Node's types nor ES2023's declare it. */
interface Engine<Functions> {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: Functions };
}

/**
 * Opens a WebAssembly module that has a memory of its own and needs nothing from outside.
 *
 * @param base64 the module's bytes
 * @returns its functions; undefined where there is no engine, one without vectors, or a page that forbids WebAssembly
 */
export function openKernel<Functions>(base64: string): Functions | undefined {
  const engine = (globalThis as unknown as { WebAssembly?: Engine<Functions> }).WebAssembly;
  if (!engine) return undefined;
  try {
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    return new engine.Instance(new engine.Module(bytes)).exports;
  } catch {
    return undefined;
  }
}
