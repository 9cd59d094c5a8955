// Reads what invopt/report/packed.py wrote.

const UNKNOWN = { 1: -128, 2: -32768, 4: -2147483648 };

/** Return the table packed in an element's text. */
export async function unpack(text) {
  const bytes = Uint8Array.from(atob(text.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const whole = new Uint8Array(await new Response(stream).arrayBuffer());
  const length = new DataView(whole.buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(whole.subarray(4, 4 + length)));
  const table = { rows: head.rows, columns: {} };
  let at = 4 + length;
  for (const column of head.columns) {
    const width = column.width ?? 1;
    const count = head.rows * width;
    const values = numbers(whole, at, count, column);
    at += count * column.bytes;
    table.columns[column.name] = column.texts
      ? { texts: column.texts, codes: values }
      : { values, width };
  }
  return table;
}

/** Return the numbers of a column: bytes sorted by place, "unknown" as NaN. */
function numbers(whole, at, count, { bytes, decimals, texts }) {
  const joined = new Uint8Array(count * bytes);
  for (let place = 0; place < bytes; place++) {
    const from = at + place * count;
    for (let i = 0; i < count; i++) joined[i * bytes + place] = whole[from + i];
  }
  if (bytes === 8) return new Float64Array(joined.buffer);
  const raw = new { 1: Int8Array, 2: Int16Array, 4: Int32Array }[bytes](joined.buffer);
  if (texts) return raw;
  const scale = 10 ** decimals;
  const found = new Float64Array(count);
  for (let i = 0; i < count; i++) found[i] = raw[i] === UNKNOWN[bytes] ? NaN : raw[i] / scale;
  return found;
}

/** Return a cell: a text or a number. */
export function cell(column, row) {
  return column.texts ? column.texts[column.codes[row]] : column.values[row];
}

/** Return the numbers of a row of a matrix. */
export function line(column, row) {
  return column.values.subarray(row * column.width, (row + 1) * column.width);
}
