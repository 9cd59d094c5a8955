// Which rows a table shows and in what order: filters, search, sorting, groups with totals.

import { cell } from "./packed.js";

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** Return the rank of each of a column's texts, so that rows sort by whole numbers. */
function ranks(column) {
  if (!column.ranks) {
    const order = column.texts.map((_, i) => i);
    order.sort((a, b) => collator.compare(column.texts[a], column.texts[b]));
    column.ranks = new Int32Array(order.length);
    order.forEach((code, rank) => (column.ranks[code] = rank));
  }
  return column.ranks;
}

const NUMBER = String.raw`(-?(?:\d+\.?\d*|\.\d+))`;
const DATE = String.raw`(\d{4}(?:-\d{2}(?:-\d{2})?)?)`;
const COMPARED = {
  ">": (x, limit) => x > limit,
  ">=": (x, limit) => x >= limit,
  "<": (x, limit) => x < limit,
  "<=": (x, limit) => x <= limit,
  "=": (x, limit) => x === limit,
};

/** Return a test of what is written as a comparison or a range of some form; null for neither. */
function comparison(text, form, read) {
  const range = new RegExp(String.raw`^\s*${form}\s*\.\.\s*${form}\s*$`).exec(text);
  if (range) return (x) => x >= read(range[1]) && x <= read(range[2]);
  const found = new RegExp(String.raw`^\s*(>=|<=|>|<|=)?\s*${form}\s*$`).exec(text);
  return found && ((x) => COMPARED[found[1] ?? "="](x, read(found[2])));
}

/** Return a test of numbers: ">10", "<=5", "3..7", "=4" or "4"; null where it is none of them. */
export const numberTest = (text) => comparison(text.replaceAll(",", ""), NUMBER, Number);

/**
 * Return a test of dates: "<2025-02-03", "2025-02-03..2025-02-07"; null where it is none of them.
 *
 * A month or a year compares as a whole: "<=2025-02" holds its last day.
 */
export function dateTest(text) {
  if (!/[<>]|\.\./.test(text)) return null; // part of a date is searched, as in any text
  const cut = (test, length) => (x) => x !== "" && test(x.slice(0, length));
  const length = /\d{4}[-\d]*/.exec(text)?.[0].length;
  const test = comparison(text, DATE, (written) => written.slice(0, length));
  return test && cut(test, length);
}

/** Return a mask of the texts that hold all words of a search. */
function textMask(column, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return column.texts.map((t) => words.every((word) => t.toLowerCase().includes(word)));
}

/**
 * Return the rows that pass.
 *
 * filters: by column; a text column holds what is typed (or, with `exact`, is what is chosen; a
 * date may be compared instead), a column of numbers passes a test. search: words, each in some text column of `searched`.
 */
export function passing(table, { filters, exact, dates, search, searched, extra }) {
  const tests = [];
  for (const [name, text] of Object.entries(filters)) {
    if (!text.trim()) continue;
    const column = table.columns[name];
    if (column.texts) {
      const compared = dates.has(name) ? dateTest(text) : null;
      const mask = exact.has(name)
        ? column.texts.map((t) => t === text || (text === "(none)" && t === ""))
        : compared ? column.texts.map(compared) : textMask(column, text);
      tests.push((row) => mask[column.codes[row]]);
    } else {
      const test = numberTest(text);
      if (test) tests.push((row) => test(column.values[row]));
    }
  }
  for (const word of search.toLowerCase().split(/\s+/).filter(Boolean)) {
    const masks = searched.map((name) => [table.columns[name], textMask(table.columns[name], word)]);
    tests.push((row) => masks.some(([column, mask]) => mask[column.codes[row]]));
  }
  if (extra) tests.push(extra);
  const found = new Int32Array(table.rows);
  let count = 0;
  for (let row = 0; row < table.rows; row++) {
    if (tests.every((test) => test(row))) found[count++] = row;
  }
  return found.slice(0, count);
}

/** Sort rows by a column, in place; what is unknown comes last either way. */
export function sortRows(table, rows, name, descending) {
  const column = table.columns[name];
  const sign = descending ? -1 : 1;
  if (column.texts) {
    const rank = ranks(column);
    const empty = column.texts.indexOf("");
    const key = (row) => (column.codes[row] === empty ? sign * 2 ** 31 : rank[column.codes[row]]);
    return rows.sort((a, b) => sign * (key(a) - key(b)) || a - b);
  }
  const { values } = column;
  return rows.sort((a, b) => {
    const [x, y] = [values[a], values[b]];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y) || a - b;
    return sign * (x - y) || a - b;
  });
}

/** Return sums over rows of columns of numbers, what is unknown left out. */
export function totals(table, rows, names) {
  const found = {};
  for (const name of names) {
    const { values } = table.columns[name];
    let sum = 0;
    for (const row of rows) if (!Number.isNaN(values[row])) sum += values[row];
    found[name] = sum;
  }
  return found;
}

/** Return groups of rows by a text column, each with its rows and totals, largest total first. */
export function grouped(table, rows, name, summed) {
  const column = table.columns[name];
  const byText = new Map();
  for (const row of rows) {
    const text = cell(column, row);
    if (!byText.has(text)) byText.set(text, []);
    byText.get(text).push(row);
  }
  const groups = [...byText].map(([text, own]) => ({ text, rows: own, totals: totals(table, own, summed) }));
  return groups.sort(
    (a, b) => (b.totals[summed[0]] ?? 0) - (a.totals[summed[0]] ?? 0) || collator.compare(a.text, b.text),
  );
}
