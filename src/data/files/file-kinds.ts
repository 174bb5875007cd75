/** Kinds of files by how they begin: text in Latin-1, and the byte at which it stands. */
const kinds: readonly { readonly at?: number; readonly text: string; readonly name: string }[] = [
  { text: "\x89PNG\r\n\x1a\n", name: "PNG" },
  { text: "\xff\xd8\xff", name: "JPEG" },
  { text: "GIF8", name: "GIF" },
  { at: 8, text: "WEBP", name: "WebP" },
  ...["II*\0", "MM\0*", "II+\0", "MM\0+"].map((text) => ({ text, name: "TIFF" })),
  ...["avif", "avis"].map((text) => ({ at: 4, text: `ftyp${text}`, name: "AVIF" })),
  ...["hei", "hev", "mif1", "msf1"].map((text) => ({ at: 4, text: `ftyp${text}`, name: "HEIC" })),
  ...["\0\0\0\x0cjP  ", "\xff\x4f\xff\x51"].map((text) => ({ text, name: "JPEG 2000" })),
  ...["\0\0\0\x0cJXL ", "\xff\x0a"].map((text) => ({ text, name: "JPEG XL" })),
  { text: "PAR1", name: "Parquet" },
  { text: "PARE", name: "Parquet" },
  { text: "ARROW1", name: "Arrow" },
  { text: "\xff\xff\xff\xff", name: "Arrow" },
  { text: "FEA1", name: "Feather" },
  { text: "PK\x03\x04", name: "ZIP" },
  { text: "PK\x05\x06", name: "ZIP" },
  { text: "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", name: "Excel (xls)" },
  { text: "SQLite format 3\0", name: "SQLite" },
  { text: "\x89HDF\r\n\x1a\n", name: "HDF5" },
  { text: "\x93NUMPY", name: "NumPy array" },
  { text: "Obj\x01", name: "Avro" },
  { text: "ORC", name: "ORC" },
  { text: "%PDF", name: "PDF" },
  { text: "BZh", name: "bzip2" },
  { text: "\xfd7zXZ\0", name: "xz" },
  { text: "\x28\xb5\x2f\xfd", name: "Zstandard" },
  { text: "7z\xbc\xaf\x27\x1c", name: "7-Zip" },
  { text: "\x1f\x8b", name: "gzip" },
  { text: "\x80\x04\x95", name: "Python pickle" },
  { text: "\x80\x05\x95", name: "Python pickle" },
  { text: "MATLAB 5.0 MAT-file", name: "MATLAB" },
  ...["<stata_dta>", "r\x01\x01\0", "r\x02\x01\0", "s\x02\x01\0"].map((text) => ({ text, name: "Stata" })),
  { text: "$FL2@(#)", name: "SPSS" },
  // Two letters alone: last.
  { text: "BM", name: "BMP" },
];

/** What kind of file the bytes begin like; undefined where it is none of those known here. */
export function kindOfFile(bytes: Uint8Array): string | undefined {
  const start = String.fromCharCode(...bytes.subarray(0, 32));
  return kinds.find(({ at = 0, text }) => start.startsWith(text, at))?.name;
}
