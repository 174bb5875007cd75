/** Whether the bytes begin like a gzip file (RFC 1952, section 2.3.1). */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Decompresses a gzip file; its CRC-32 and length are checked on the way.
 * @param source the file's name, for messages.
 * @throws when the bytes are not gzip, are truncated or are damaged.
 */
export async function gunzip(bytes: Uint8Array, source: string): Promise<Uint8Array> {
  if (!isGzip(bytes)) {
    const received = Array.from(bytes.subarray(0, 2), (byte) => byte.toString(16).padStart(2, "0")).join("");
    throw new Error(
      `${source}: not gzip, received ${bytes.length} bytes that begin with "${received}", expected "1f8b"; ` +
        "get the file again, or drop .gz from its name if it is not compressed",
    );
  }
  try {
    return await decompress(bytes, "gzip");
  } catch (error) {
    throw new Error(
      `${source}: truncated or damaged gzip, received ${bytes.length} bytes that do not decompress ` +
        `(${error instanceof Error ? error.message : String(error)}); get the file again`,
      { cause: error },
    );
  }
}

/**
 * Decompresses a zlib stream (RFC 1950); its Adler-32 is checked on the way.
 * @param what what the bytes are, for messages.
 * @throws when the bytes are no zlib stream, are truncated or are damaged.
 */
export async function inflate(bytes: Uint8Array, what: string): Promise<Uint8Array> {
  try {
    return await decompress(bytes, "deflate");
  } catch (error) {
    throw new Error(
      `${what}: ${bytes.length} compressed bytes are truncated or damaged ` +
        `(${error instanceof Error ? error.message : String(error)}); get the file again`,
      { cause: error },
    );
  }
}

async function decompress(bytes: Uint8Array, format: "gzip" | "deflate"): Promise<Uint8Array> {
  const stream = new Blob([Uint8Array.from(bytes)]).stream().pipeThrough(new DecompressionStream(format));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
