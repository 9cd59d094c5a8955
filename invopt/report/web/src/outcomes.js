// Was last month good? Past plans against what happened, by class, supplier, product or place.

import { element } from "./dom.js";
import { asMoney, asUnits, known } from "./format.js";
import { Table } from "./table.js";
import { totals } from "./view.js";

const percent = (part, whole) => (known(part) && whole > 0 ? Math.round((1000 * part) / whole) / 10 : NaN);
export const asPercent = (value) => (known(value) ? `${value.toFixed(1)} %` : "–");
const over = (real, planned) => (known(real) && known(planned) ? real - planned : NaN);

// Columns that are ratios of sums: of a row as of a group.
const RATIOS = {
  error_share: (t) => percent(t.error, t.judged),
  naive_share: (t) => percent(t.naive_error, t.judged),
  added: (t) => percent(t.naive_error - t.error, t.judged),
  service: (t) => (known(t.stockout_cost) ? percent(t.sold, t.sold + t.lost) : NaN),
  stockout_over: (t) => over(t.stockout_cost, t.planned_stockout_cost),
  holding_over: (t) => over(t.holding_cost, t.planned_holding_cost),
};

export function outcomesTable(outcomes, rows, named, open) {
  const root = document.getElementById("outcomes-table");
  if (!outcomes.rows) {
    root.append(element("p", {}, "No order has been complete since plans are kept: this fills once an order has arrived and the next one too. Until then the monitoring page tells what orders would have cost."));
    return { measure() {} };
  }
  const { columns } = outcomes;
  const at = columns.row.values;
  const sums = Object.keys(columns).filter((name) => name !== "row");
  for (const name of new Set([named, "unique_id", "product", "location", "supplier", "category", "segment"])) {
    const column = rows.columns[name];
    if (column?.texts) columns[name] = { texts: column.texts, codes: Int32Array.from(at, (row) => column.codes[row]) };
  }
  for (const [name, ratio] of Object.entries(RATIOS)) {
    columns[name] = { values: Float64Array.from(at, (_, row) => ratio(Object.fromEntries(sums.map((s) => [s, columns[s].values[row]])))), width: 1 };
  }
  const has = (name) => columns[name]?.texts?.some(Boolean);
  const stock = columns.holding_cost.values.some(known), shelf = columns.stockout_cost.values.some(known);
  const ratio = (name, label, kind, width = 7, phone = false) => ({ name, label, kind, width, phone, ratio: RATIOS[name] });
  const all = totals(outcomes, at.map((_, row) => row), sums);
  root.append(figures(all, shelf, stock), element("p", { class: "soft" },
    "Of orders whose time has passed: from their arrival to the arrival of the next one, about a month. Forecasts are those the plans were made with; the naive forecast repeats the season before the review. What was missed is an estimate: the forecast of the time an empty shelf was recorded."));
  return new Table(root, outcomes, {
    columns: [
      { name: named, label: "Item", kind: "text", phone: true, width: 13 },
      ...(named === "name" ? [{ name: "unique_id", label: "Series", kind: "text", width: 9 }] : []),
      { name: "sold", label: "Sold units", kind: "units", sum: true, width: 6.5, phone: true },
      { name: "expected", label: "Expected units", kind: "units", sum: true, width: 7.5 },
      ratio("error_share", "Forecast error", "percent", 7, true), ratio("naive_share", "Naive error", "percent"), ratio("added", "Value added, points", "percent", 9),
      ...(shelf ? [ratio("service", "Served", "percent", 6), { name: "stockout_cost", label: "Stockouts", kind: "money", sum: true, width: 6.5 },
        { name: "planned_stockout_cost", label: "planned", kind: "money", sum: true, width: 6 }, ratio("stockout_over", "over plan", "money", 6)] : []),
      ...(stock ? [{ name: "holding_cost", label: "Holding", kind: "money", sum: true, width: 6 },
        { name: "planned_holding_cost", label: "planned", kind: "money", sum: true, width: 6 }, ratio("holding_over", "over plan", "money", 6)] : []),
    ],
    label: "Was last month good", noun: ["series", "series"], sort: { name: "sold", descending: true }, also: sums,
    searched: ["unique_id", named, "supplier", "location", "category", "segment"].filter((n) => columns[n]?.texts),
    groups: [["segment", "class"], ["supplier", "supplier"], ["product", "product"], ["location", "location"], ["category", "category"]].filter(([name]) => has(name)),
    group: has("segment") ? "segment" : "", open: (entry) => open(at[entry]),
  });
}

function figures(all, shelf, stock) {
  const list = [
    [asPercent(RATIOS.error_share(all)), `forecast error; ${asPercent(RATIOS.naive_share(all))} repeating last season`],
    ...(shelf ? [[asPercent(RATIOS.service(all)), "served: sold of what was asked for"],
      [asMoney(all.stockout_cost), `stockouts; ${asMoney(all.planned_stockout_cost)} planned`]] : []),
    ...(stock ? [[asMoney(all.holding_cost), `holding; ${asMoney(all.planned_holding_cost)} planned`]] : []),
    [asUnits(Math.round(all.sold)), `units sold; ${asUnits(Math.round(all.expected))} expected`],
  ];
  return element("div", { class: "figures" }, ...list.map(([value, label]) => element("div", { class: "figure" }, element("b", {}, value), element("span", {}, label))));
}
