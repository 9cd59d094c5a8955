// Numbers and dates as people read them; empty where nothing is known.

const units = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const exact = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const small = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

let currency = "";

export function setCurrency(name) {
  currency = name;
}

export const known = (value) => typeof value === "number" && Number.isFinite(value);

/** Units as they are counted; of shares of a unit as many places as matter. */
export const asUnits = (value) => (known(value) ? (Math.abs(value) >= 10 ? tenths : units).format(value) : "");

/** Return a function that writes the numbers of a column with as many decimals as its others. */
export function alike(values) {
  let top = 0, fraction = false;
  for (const value of values) {
    if (!known(value)) continue;
    top = Math.max(top, Math.abs(value));
    fraction ||= !Number.isInteger(value);
  }
  const places = fraction ? (top >= 10 ? 1 : 2) : 0;
  const format = new Intl.NumberFormat("en", { minimumFractionDigits: places, maximumFractionDigits: places });
  return (value) => (known(value) ? format.format(value) : "");
}

/** Units with their word: "1 unit", "12 units". */
export const inUnits = (value) => (known(value) ? `${asUnits(value)} ${asUnits(Math.abs(value)) === "1" ? "unit" : "units"}` : "");

/** Money: without cents where they do not matter, with three digits where it is tiny. */
export function asMoney(value) {
  if (!known(value)) return "";
  const size = Math.abs(value);
  const format = size >= 1000 ? whole : size >= 0.1 || size === 0 ? exact : small;
  return `${value < 0 ? "-" : ""}${`${currency} ${format.format(size)}`.trim()}`;
}

export const asDays = (value) => (known(value) ? (value >= 999 ? "999 +" : whole.format(value)) : "");

/** A word of orders.csv as people write it: stockout_now becomes "Stockout now". */
export const asWords = (word) => {
  const text = word.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
};

export const withSign = (text, value) => (value > 0 ? `+${text}` : text);
export const plural = (count, one, many = `${one}s`) => `${whole.format(count)} ${count === 1 ? one : many}`;
