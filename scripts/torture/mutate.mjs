/**
 * Damages files as disks, networks, and people with bad intentions do. A mutation is a pure function of the bytes and a
 * seed, so that a failure can be made again from the names of the file and the seed.
 */

/** Numbers from 0 to below 1: the generator mulberry32 (Tommy Ettinger, public domain). */
export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Ways to damage any file, by name: (bytes, random) → bytes. */
export const mutations = {
  /** One to sixteen single bits. */
  bits(bytes, random) {
    const result = Uint8Array.from(bytes);
    for (let count = 1 + below(random, 16); count > 0 && result.length > 0; count--)
      result[below(random, result.length)] ^= 1 << below(random, 8);
    return result;
  },
  /** One byte becomes one that often matters. */
  bytes(bytes, random) {
    const result = Uint8Array.from(bytes);
    const values = [0, 1, 0x7f, 0x80, 0xff];
    for (let count = 1 + below(random, 4); count > 0 && result.length > 0; count--)
      result[below(random, result.length)] = values[below(random, values.length)];
    return result;
  },
  truncated: (bytes, random) => bytes.slice(0, below(random, bytes.length)),
  /** A part is left out. */
  cut(bytes, random) {
    const [start, end] = range(bytes, random);
    return joined([bytes.subarray(0, start), bytes.subarray(end)]);
  },
  /** A part comes twice, the second time somewhere else. */
  copied(bytes, random) {
    const [start, end] = range(bytes, random);
    const place = below(random, bytes.length + 1);
    return joined([bytes.subarray(0, place), bytes.subarray(start, end), bytes.subarray(place)]);
  },
  /** Zeros in the middle, as after a crash of the machine. */
  zeroed(bytes, random) {
    const [start, end] = range(bytes, random);
    return Uint8Array.from(bytes).fill(0, start, end);
  },
  /** A number of two to eight bytes, in either byte order, as sizes and lengths are written. */
  lengths(bytes, random) {
    const width = [2, 4, 8][below(random, 3)];
    if (bytes.length < width) return bytes;
    const values = [0n, 1n, 127n, 128n, 255n, 2n ** 15n - 1n, 2n ** 16n - 1n, 2n ** 31n - 1n, 2n ** 32n - 1n];
    const number = new Uint8Array(8);
    new DataView(number.buffer).setBigUint64(0, values[below(random, values.length)], true);
    const part = number.subarray(0, width);
    const result = Uint8Array.from(bytes);
    result.set(random() < 0.5 ? part : part.toReversed(), below(random, bytes.length - width + 1));
    return result;
  },
  /** Another digit where there is one, as in tables and headers of text. */
  digits(bytes, random) {
    const places = [...bytes.keys()].filter((place) => bytes[place] >= 0x30 && bytes[place] <= 0x39);
    if (places.length === 0) return bytes;
    const place = places[below(random, places.length)];
    return Uint8Array.from(bytes).fill(0x30 + below(random, 10), place, place + 1);
  },
  /** Noise at the end. */
  extended: (bytes, random) =>
    joined([bytes, Uint8Array.from({ length: 1 + below(random, 64) }, () => below(random, 256))]),
};

/** Ways to damage protobuf messages, which keep the lengths of what is around the change right. */
export const messageMutations = {
  /** A number becomes a huge, negative or odd one. */
  number(bytes, random) {
    const field = chosen(fieldsOf(bytes), random, ({ type }) => type === 0);
    const values = [
      0n,
      1n,
      2n,
      127n,
      2n ** 31n - 1n,
      2n ** 32n,
      2n ** 40n,
      2n ** 62n,
      2n ** 63n,
      2n ** 64n - 1n,
    ];
    return field && replaced(bytes, field, varint(values[below(random, values.length)]));
  },
  /** A text or a list of numbers becomes another one. */
  content(bytes, random) {
    const field = chosen(fieldsOf(bytes), random, ({ type, inside }) => type === 2 && !inside);
    const contents = ["", "\0", "\x1b[31m", "../../etc/passwd", "__proto__", "x".repeat(5000), "\u{202e}"];
    const text = new TextEncoder().encode(contents[below(random, contents.length)]);
    return field && replaced(bytes, field, delimited(text));
  },
  /** A field is left out. */
  dropped(bytes, random) {
    const field = chosen(fieldsOf(bytes), random);
    return field && replaced(bytes, field, undefined);
  },
  /** A field comes many times. */
  repeated(bytes, random) {
    const field = chosen(fieldsOf(bytes), random);
    if (!field) return undefined;
    const whole = bytes.slice(field.start, field.end);
    const times = 1 + below(random, Math.max(1, Math.min(1000, Math.floor(200_000 / whole.length))));
    return spliced(
      bytes,
      field.path,
      field.end,
      field.end,
      joined(Array.from({ length: times }, () => whole)),
    );
  },
  /** A field takes the place of another one. */
  exchanged(bytes, random) {
    const fields = fieldsOf(bytes);
    const [from, to] = [chosen(fields, random), chosen(fields, random)];
    return from && to && spliced(bytes, to.path, to.start, to.end, bytes.slice(from.start, from.end));
  },
  /** A message inside of itself, many levels deep. */
  nested(bytes, random) {
    const field = chosen(fieldsOf(bytes), random, ({ inside }) => inside);
    if (!field) return undefined;
    const tag = bytes.slice(field.start, field.content.tagEnd);
    let whole = bytes.slice(field.start, field.end);
    for (let level = below(random, 300); level > 0; level--) whole = joined([tag, delimited(whole)]);
    return spliced(bytes, field.path, field.start, field.end, whole);
  },
};

/**
 * The file's bytes, damaged in a way that the seed decides.
 *
 * @param kinds names of `mutations` and `messageMutations`; default: all for a protobuf message, `mutations` else
 */
export function mutate(bytes, seed, kinds) {
  const random = randomFrom(seed);
  const all = { ...mutations, ...messageMutations };
  const names = kinds ?? Object.keys(isMessage(bytes) ? all : mutations);
  let [result, made] = [bytes, []];
  for (let rounds = 1 + below(random, 3); rounds > 0; rounds--) {
    const name = names[below(random, names.length)];
    const next = all[name](result, random);
    if (next === undefined) continue;
    result = next;
    made.push(name);
  }
  return { bytes: result, made };
}

function below(random, limit) {
  return Math.floor(random() * limit);
}

function range(bytes, random) {
  const start = below(random, bytes.length + 1);
  return [start, Math.min(bytes.length, start + 1 + below(random, Math.max(1, bytes.length >> 3)))];
}

function chosen(fields, random, fits = () => true) {
  const fitting = fields.filter(fits);
  return fitting[below(random, fitting.length)];
}

function isMessage(bytes) {
  return bytes.length > 0 && parse(bytes, 0, bytes.length, []) !== undefined;
}

/** Fields at every level that looks like a message, with the length prefixes around each. */
function fieldsOf(bytes) {
  const fields = parse(bytes, 0, bytes.length, []) ?? [];
  for (let index = 0; index < fields.length && fields.length < 20_000; index++) {
    const field = fields[index];
    if (field.type !== 2 || field.content.end - field.content.start < 2) continue;
    const inner = parse(bytes, field.content.start, field.content.end, [...field.path, field]);
    if (!inner) continue;
    field.inside = true;
    fields.push(...inner);
  }
  return fields;
}

/** The fields of one message, or undefined where the bytes are none. */
function parse(bytes, start, end, path) {
  const fields = [];
  for (let place = start; place < end; ) {
    const tag = readVarint(bytes, place, end);
    if (!tag || tag.value < 8 || tag.value > 2 ** 12) return undefined;
    const type = tag.value % 8;
    let content = { tagEnd: tag.end, start: tag.end, end: tag.end };
    if (type === 0) content.end = readVarint(bytes, tag.end, end)?.end;
    else if (type === 1) content.end = tag.end + 8;
    else if (type === 5) content.end = tag.end + 4;
    else if (type === 2) {
      const length = readVarint(bytes, tag.end, end);
      content = length && { tagEnd: tag.end, start: length.end, end: length.end + length.value };
    } else return undefined;
    if (!content || content.end === undefined || content.end > end) return undefined;
    fields.push({ type, start: place, end: content.end, content, path, inside: false });
    place = content.end;
  }
  return fields;
}

function readVarint(bytes, start, end) {
  let value = 0;
  for (let place = start, factor = 1; place < Math.min(end, start + 10); place++, factor *= 128) {
    value += (bytes[place] % 128) * factor;
    if (bytes[place] < 128) return { value, end: place + 1 };
  }
  return undefined;
}

function varint(value) {
  const groups = [];
  let rest = BigInt(value);
  for (; rest >= 0x80n; rest >>= 7n) groups.push(Number(rest & 0x7fn) | 0x80);
  return Uint8Array.from([...groups, Number(rest)]);
}

function delimited(bytes) {
  return joined([varint(bytes.length), bytes]);
}

/** The field with another content behind its tag, or without it. */
function replaced(bytes, field, content) {
  const tag = bytes.slice(field.start, field.content.tagEnd);
  const part = content ? joined([tag, content]) : new Uint8Array();
  return spliced(bytes, field.path, field.start, field.end, part);
}

/** Other bytes in a place, and right lengths around it. */
function spliced(bytes, path, start, end, part) {
  let [from, to, inner] = [start, end, part];
  for (const around of [...path].reverse()) {
    const { tagEnd, start: first, end: last } = around.content;
    const content = joined([bytes.subarray(first, from), inner, bytes.subarray(to, last)]);
    [from, to, inner] = [tagEnd, last, delimited(content)];
  }
  return joined([bytes.subarray(0, from), inner, bytes.subarray(to)]);
}

function joined(parts) {
  const result = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let place = 0;
  for (const part of parts) {
    result.set(part, place);
    place += part.length;
  }
  return result;
}
