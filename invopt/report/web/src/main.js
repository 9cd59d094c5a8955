// The planner's page: exceptions first, all orders, one series in a dialog.

import { cell, unpack } from "./packed.js";
import { element } from "./dom.js";
import { asMoney, asWords, plural, setCurrency } from "./format.js";
import { Desk } from "./edit.js";
import { outcomesTable } from "./outcomes.js";
import { Scenarios, WhatIf } from "./scenarios.js";
import { Series } from "./series.js";
import { Table } from "./table.js";

const text = (id) => document.getElementById(id).textContent;

async function start() {
  const about = JSON.parse(text("about"));
  setCurrency(about.currency);
  const [rows, exceptions] = await Promise.all(["rows", "exceptions-data"].map((id) => unpack(text(id))));
  // Large, and read when the first series is opened or the page has nothing else to do.
  const details = new Promise((done) => {
    const read = () => done(unpack(text("details")));
    setTimeout(read, 300);
  });
  const named = rows.columns.name.texts.some(Boolean) ? "name" : "unique_id";
  // Only a server has a hand to lend: from a file the page is for reading.
  const api = document.querySelector('meta[name="invopt-api"]')?.content;
  const desk = api ? new Desk(api, about, rows, () => (orders.again(), worst.again())) : null;
  const orders = ordersTable(rows, named, (row) => series.open(row));
  const worst = exceptionsTable(exceptions, rows, named, (row) => series.open(row));
  // Read when it is looked at: the page is usable before.
  const past = { measure: () => (past.table ??= unpack(text("outcomes-data")).then((outcomes) => outcomesTable(outcomes, rows, named, (row) => series.open(row)))) };
  const series = new Series({
    about, rows, details, exceptions: worst.byRow, controls: desk && ((shown) => desk.controls(shown)), neighbour: (row, step) => shown().neighbour(row, step),
  });
  if (desk) await desk.load();
  const tabs = new Tabs({
    exceptions: worst.table, orders, outcomes: past, ...(desk ? { scenarios: new Scenarios(document.getElementById("scenarios-form"), desk, rows) } : {}),
  });
  const shown = () => (tabs.shown === "exceptions" ? worst : orders);
  const fromAddress = () => {
    const id = decodeURIComponent(/^#series=(.*)$/.exec(location.hash)?.[1] ?? "");
    const code = rows.columns.unique_id.texts.indexOf(id);
    const row = code < 0 ? -1 : rows.columns.unique_id.codes.indexOf(code);
    if (row >= 0) series.open(row);
  };
  addEventListener("hashchange", fromAddress);
  if (desk) {
    desk.whatIf = (id) => new WhatIf(desk, rows, { fixed: id }).root;
    desk.watch();
    orders.tools.append(element("span", { class: "files" }, "Decided orders as ", link(`${api}/orders.csv`, "CSV"), ", for ", link(`${api}/drafts/odoo.xlsx`, "Odoo"), ", for ", link(`${api}/drafts/erpnext.xlsx`, "ERPNext"), "; ", link(`${api}/overrides.csv`, "overrides as CSV")));
  }
  fromAddress();
  document.documentElement.dataset.ready = "yes";
}

/** Return what tells two places of a product of one name apart; none where series have their own. */
const below = (rows, named) => (named === "name" ? ["location", "unique_id"].find((name) => rows.columns[name]?.texts.some(Boolean)) : undefined);

const link = (href, label) => element("a", { href, download: "" }, label);

function ordersTable(rows, named, open) {
  const { supplier, source } = rows.columns;
  // In a network a lane may say other than the product who supplies it.
  const lanes = source && source.codes.some((code, row) => source.texts[code] !== supplier.texts[supplier.codes[row]]);
  const has = (name) => (name !== "source" || lanes) && rows.columns[name]?.texts?.some(Boolean);
  const columns = [
    { name: named, label: "Item", kind: "text", phone: true, width: 13, most: 26 },
    ...(named === "name" ? [{ name: "unique_id", label: "Series", kind: "text", width: 9 }] : []),
    { name: "order_quantity", label: "Order units", kind: "units", sum: true, phone: true, width: 6 },
    { name: "order_value", label: "Order value", kind: "money", sum: true, phone: true, width: 7.5 },
    ...[["supplier", "Supplier"], ["source", "Supplied by"], ["location", "Location"], ["category", "Category"]].filter(([name]) => has(name))
      .map(([name, label]) => ({ name, label, kind: "text", exact: true, width: 7, most: 10 })),
    { name: "segment", label: "Class", kind: "text", exact: true, width: 4 },
    { name: "on_hand", label: "On hand", kind: "units", sum: true, width: 5.5 },
    ...(rows.columns.transfer_quantity?.values.some((v) => v) ? [{ name: "transfer_quantity", label: "From shops", kind: "units", width: 6 }] : []),
    { name: "on_order", label: "Under way", kind: "units", sum: true, width: 6 },
    { name: "expected_demand", label: "Expected demand", kind: "units", width: 6.5 },
    { name: "days_of_cover", label: "Days of cover", kind: "days", width: 5.5 },
    { name: "stockout_date", label: "Runs out", kind: "date", width: 7 },
    { name: "arrival_date", label: "Arrives", kind: "date", width: 7 },
    ...(rows.columns.decision ? [{ name: "decision", label: "Decision", kind: "text", exact: true, width: 6.5 }] : []),
    { name: "exception", label: "Exceptions", kind: "words", width: 13 },
  ];
  const only = element("input", { type: "checkbox", id: "ordered-only" });
  const table = new Table(document.getElementById("orders-table"), rows, {
    columns, open, label: "All orders", under: below(rows, named), noun: ["series", "series"],
    sort: { name: "order_value", descending: true },
    searched: ["unique_id", "name", "product", "location", "supplier", "source", "category", "exception", "segment"].filter((n) => rows.columns[n]),
    groups: [["supplier", "supplier"], ["source", "supplied by"], ["location", "location"], ["category", "category"], ["segment", "class"]]
      .filter(([name]) => has(name)),
  });
  const { values } = rows.columns.order_quantity;
  only.addEventListener("change", () => table.now(() => (table.extra = only.checked ? (row) => values[row] > 0 : null)));
  table.cleared = () => {
    only.checked = false;
    table.extra = null;
  };
  table.tools.append(element("label", { for: only.id, class: "check" }, only, " ordered only"));
  return table;
}

/** Exceptions by money, with a button for each kind; a row of theirs opens its series. */
function exceptionsTable(exceptions, rows, named, open) {
  const at = exceptions.columns.row.values;
  const beside = (name) => {
    const column = rows.columns[name];
    return column.texts
      ? { texts: column.texts, codes: Int32Array.from(at, (row) => column.codes[row]) }
      : { values: Float64Array.from(at, (row) => column.values[row]), width: 1 };
  };
  for (const name of new Set([named, "unique_id", "product", "location", "supplier", "order_quantity"])) exceptions.columns[name] = beside(name);
  const { money } = exceptions.columns;
  exceptions.columns.size = { values: money.values.map((m) => Math.abs(m)), width: 1 };
  const has = (name) => rows.columns[name].texts.some(Boolean);
  const columns = [
    { name: named, label: "Item", kind: "text", phone: true, width: 10.5, most: 16 },
    ...(named === "name" ? [{ name: "unique_id", label: "Series", kind: "text", width: 6, most: 11 }] : []),
    { name: "exception", label: "What is wrong", kind: "words", phone: true, exact: true, width: 11, most: 14 },
    { name: "size", label: "Money", kind: "money", phone: true, width: 7 },
    { name: "units", label: "Units", kind: "units", width: 4.5 },
    { name: "date", label: "When", kind: "date", width: 7 },
    ...[["location", "Location"], ["supplier", "Supplier"]].filter(([name]) => has(name)).map(([name, label]) => ({ name, label, kind: "text", exact: true, width: 6, most: 10 })),
    { name: "order_quantity", label: "Order units", kind: "units", width: 5 },
    { name: "advice", label: "What to do", kind: "text", width: 11, most: 26, rest: true },
  ];
  const root = document.getElementById("exceptions-table");
  const chips = element("div", { class: "chips", role: "group", "aria-label": "Kinds of exceptions" });
  root.append(chips);
  const table = new Table(root, exceptions, {
    columns, label: "Exceptions", under: below(rows, named), noun: ["exception"], sort: { name: "size", descending: true },
    searched: ["unique_id", named, "exception", "supplier", "location", "advice"], open: (entry) => open(at[entry]),
  });
  const kinds = new Map();
  for (let entry = 0; entry < exceptions.rows; entry++) {
    const word = cell(exceptions.columns.exception, entry);
    const kind = kinds.get(word) ?? { count: 0, money: 0 };
    kind.count += 1;
    kind.money += Math.abs(money.values[entry]) || 0;
    kinds.set(word, kind);
  }
  const sorted = [...kinds].sort(([, a], [, b]) => b.money - a.money || b.count - a.count);
  for (const [word, kind] of sorted) {
    const chip = element("button", { type: "button", class: "chip", "aria-pressed": "false" },
      element("b", {}, asWords(word)), ` ${kind.count.toLocaleString("en")}`, kind.money ? ` · ${asMoney(kind.money)}` : "");
    chip.addEventListener("click", () => {
      const on = chip.getAttribute("aria-pressed") !== "true";
      for (const other of chips.children) other.setAttribute("aria-pressed", "false");
      chip.setAttribute("aria-pressed", String(on));
      table.only("exception", on ? word : "");
    });
    chips.append(chip);
  }
  table.cleared = () => [...chips.children].forEach((chip) => chip.setAttribute("aria-pressed", "false"));
  const entries = new Map();
  at.forEach((row, entry) => entries.set(row, [...(entries.get(row) ?? []), entry]));
  const byRow = {
    of: (row) => (entries.get(row) ?? []).map((entry) => Object.fromEntries(["exception", "date", "units", "money", "advice"]
      .map((name) => [name, cell(exceptions.columns[name], entry)]))),
  };
  // The next exception of another series.
  const neighbour = (row, step) => {
    const order = [...new Set(Array.from(table.rows, (entry) => at[entry]))];
    return order[order.indexOf(row) + step];
  };
  const again = () => {
    exceptions.columns.order_quantity = beside("order_quantity");
    table.again();
  };
  return { table, byRow, neighbour, again };
}

class Tabs {
  constructor(parts) {
    this.tables = parts;
    this.buttons = [...document.querySelectorAll("[role=tab]")].filter((button) => parts[button.dataset.part]);
    for (const button of this.buttons) button.hidden = false;
    for (const button of this.buttons) {
      button.addEventListener("click", () => this.show(button));
      button.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        const next = this.buttons.at((this.buttons.indexOf(button) + step) % this.buttons.length);
        this.show(next);
        next.focus();
      });
    }
    this.show(this.buttons[0]);
  }

  show(button) {
    for (const other of this.buttons) {
      const on = other === button;
      other.setAttribute("aria-selected", String(on));
      other.tabIndex = on ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).hidden = !on;
    }
    this.shown = button.dataset.part;
    this.tables[this.shown].measure();
  }
}

start().catch((error) => {
  const place = document.getElementById("fault");
  place.hidden = false;
  place.textContent = `The tables of this page cannot be shown: ${error.message}. It needs a browser of 2023 or later (Chromium 103, Firefox 113, Safari 16.4); orders.csv beside it holds the same.`;
});
