// A table of any length: only the rows in sight are in the page. Rows have one height.

import { cell } from "./packed.js";
import { element, newId } from "./dom.js";
import { alike, asDays, asMoney, asUnits, asWords, known, plural } from "./format.js";
import { grouped, numberTest, passing, sortRows, totals } from "./view.js";

const SPARE = 8; // rows drawn beyond either edge
const CHOICES = 60; // texts up to which a filter is a list
const SCREEN = 80; // em that a window of 1,300 pixels shows
const LETTER = 0.52; // em of a letter of a text, about
const PADDING = 2; // em of a cell, with some room
const PRINTED = 3000; // rows a printout has at most

const narrow = matchMedia("(max-width: 640px)");
const asPercent = (value) => (known(value) ? `${value.toFixed(1)} %` : "");
const SHOWN = { units: asUnits, money: asMoney, days: asDays, number: asUnits, percent: asPercent };

export class Table {
  /**
   * columns: name, label, kind ("text", "units", "money", "days", "words"), sum, phone (also shown
   * on a phone), width (em), most (em, of texts that need more), rest (what is left is for it), exact, ratio (a function of sums, for groups). also: further columns
   * that are summed. open(row) is called with a row that is chosen. under: a column that a phone
   * shows below the first.
   */
  constructor(root, table, { columns, label, groups, group = "", sort, searched, open, extra, noun, decorate, under, also = [] }) {
    Object.assign(this, { root, table, columns, groups, searched, open, noun, decorate, under });
    this.label = label;
    this.sort = sort;
    this.filters = {};
    this.exact = new Set();
    this.formats = new Map();
    this.dates = new Set(columns.filter((c) => c.kind === "date").map((c) => c.name));
    this.search = "";
    this.group = group;
    this.extra = extra ?? null;
    this.unfolded = new Set();
    this.active = 0;
    this.summed = [...new Set([...columns.filter((c) => c.sum).map((c) => c.name), ...also])];
    this.build();
    this.refresh();
    new ResizeObserver(() => this.measure()).observe(this.frame);
    addEventListener("beforeprint", () => this.print(true));
    addEventListener("afterprint", () => this.print(false));
  }

  build() {
    const search = element("input", {
      type: "search",
      id: newId("search"),
      placeholder: "Name, supplier, place, …",
      autocomplete: "off",
      oninput: (event) => this.later(() => (this.search = event.target.value)),
    });
    const tools = element("div", { class: "tools" },
      element("label", { for: search.id }, "Search"), search);
    if (this.groups) {
      const group = element("select", { id: newId("group"), onchange: (e) => this.now(() => (this.group = e.target.value)) },
        element("option", { value: "" }, "nothing"),
        ...this.groups.map(([name, label]) => element("option", { value: name, selected: name === this.group }, label)));
      tools.append(element("label", { for: group.id }, "Group by"), group);
    }
    this.toggle = element("button", { type: "button", "aria-expanded": "false", onclick: () => this.showFilters() }, "Filter columns");
    tools.append(this.toggle,
      element("button", { type: "button", onclick: () => this.clear() }, "Clear"),
      element("button", { type: "button", onclick: () => this.download() }, "Save as CSV"));
    this.tools = tools;
    this.status = element("p", { class: "status", role: "status" });
    this.heads = element("tr", { role: "row" }, ...this.columns.map((c) => this.head(c)));
    this.inputs = element("tr", { class: "filters", role: "row", hidden: true }, ...this.columns.map((c) => this.filter(c)));
    this.body = element("tbody", {
      onclick: (event) => this.clicked(event),
      onkeydown: (event) => this.key(event),
    });
    const each = this.widths();
    const widths = element("colgroup", {}, ...this.columns.map((c, i) => element("col", { class: c.phone ? "" : "wide", style: `width:${each[i]}em` })));
    const width = each.reduce((sum, one) => sum + one, 0);
    this.grid = element("table", { "aria-label": this.label, style: `--width:${width}em` }, widths, element("thead", {}, this.heads, this.inputs), this.body);
    const lines = this.lines(each);
    this.frame = element("div", { class: lines > 1 ? "frame tall" : "frame", style: `--lines:${lines}`, tabindex: "0", role: "region", "aria-label": `${this.label}, scrolls`, onscroll: () => this.draw() }, this.grid);
    this.root.append(tools, this.status, this.frame);
  }

  /**
   * Return the columns' widths in em: of texts that of the longest, at most column.most, where all
   * fit into a desk's screen; else they share what is left above column.width, a column.rest last.
   */
  widths() {
    const wanted = this.columns.map((c) => {
      const { texts } = this.table.columns[c.name];
      if (!["text", "words"].includes(c.kind) || !texts) return c.width;
      return Math.min(c.most ?? c.width, PADDING + LETTER * Math.max(this.longest(c), c.label.length));
    });
    const widths = this.columns.map((c, i) => Math.min(c.width, wanted[i]));
    for (const last of [false, true]) {
      const left = SCREEN - widths.reduce((total, width) => total + width, 0);
      const lacks = this.columns.map((c, i) => (Boolean(c.rest) === last ? wanted[i] - widths[i] : 0));
      const lacking = lacks.reduce((total, lack) => total + lack, 0);
      const share = lacking > 0 ? Math.min(1, Math.max(0, left) / lacking) : 0;
      lacks.forEach((lack, i) => (widths[i] += share * lack));
    }
    return widths;
  }

  /** Return how many lines the longest text of the first column takes: at most four, for all rows. */
  lines(widths) {
    const longest = this.longest(this.columns[0]);
    const fits = (widths[0] - PADDING) / LETTER;
    // A line that breaks between words holds less than one that is full.
    return longest <= fits ? 1 : Math.min(4, Math.max(2, Math.ceil((1.1 * longest) / fits)));
  }

  longest(column) {
    return (this.table.columns[column.name].texts ?? []).reduce((most, text) => Math.max(most, text.length), 0);
  }

  head(column) {
    const button = element("button", { type: "button", onclick: () => this.sortBy(column) }, column.label);
    // A printout repeats the text of a head on every page, and no button in it.
    return element("th", { scope: "col", class: this.classes(column), "data-label": column.label }, button);
  }

  filter(column) {
    const texts = this.table.columns[column.name].texts;
    const label = `Filter by ${column.label.toLowerCase()}`;
    const changed = (event) => this.later(() => (this.filters[column.name] = event.target.value));
    let input;
    if (texts && texts.length <= CHOICES && column.exact) {
      this.exact.add(column.name);
      const sorted = [...texts].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
      input = element("select", { "aria-label": label, onchange: changed },
        element("option", { value: "" }, "all"),
        ...sorted.map((t) => element("option", { value: t || "(none)" }, t || "(none)")));
    } else {
      input = element("input", { "aria-label": label, placeholder: column.kind === "date" ? "< 2026-02-01" : texts ? "has" : "> 10 or 3..7", oninput: changed });
    }
    return element("td", { class: this.classes(column) }, input);
  }

  classes(column) {
    const kind = ["text", "words", "date"].includes(column.kind) ? "text" : "num";
    return `${kind}${column.phone ? "" : " wide"}`;
  }

  showFilters(shown = this.inputs.hidden) {
    this.inputs.hidden = !shown;
    this.toggle.setAttribute("aria-expanded", String(shown));
    this.measure();
  }

  later(change) {
    change();
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.refresh(), 80);
  }

  now(change) {
    change();
    this.refresh();
  }

  clear() {
    this.filters = {};
    this.search = "";
    this.group = "";
    this.unfolded.clear();
    for (const input of this.root.querySelectorAll("input, select")) input.value = "";
    this.cleared?.();
    this.refresh();
  }

  /** Show the rows of one text of a column. */
  only(name, text) {
    this.filters = { [name]: text };
    const at = this.columns.findIndex((c) => c.name === name);
    const input = this.inputs.children[at]?.querySelector("input, select");
    if (input) input.value = text;
    this.refresh();
  }

  sortBy(column) {
    const descending = this.sort.name === column.name ? !this.sort.descending : column.kind !== "text" && column.kind !== "date";
    this.sort = { name: column.name, descending };
    this.refresh();
  }

  refresh() {
    const { table } = this;
    for (const [name, text] of Object.entries(this.filters)) {
      const at = this.columns.findIndex((c) => c.name === name);
      const input = this.inputs.children[at]?.querySelector("input, select");
      const bad = !table.columns[name].texts && text.trim() !== "" && !numberTest(text);
      input?.setAttribute("aria-invalid", String(bad));
    }
    this.rows = passing(table, this);
    sortRows(table, this.rows, this.sort.name, this.sort.descending);
    this.fold();
    this.heads.querySelectorAll("th").forEach((th, i) => {
      const sorted = this.columns[i].name === this.sort.name;
      if (sorted) th.setAttribute("aria-sort", this.sort.descending ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
    });
    this.tell();
    this.frame.scrollTop = 0;
    this.active = 0;
    this.measure();
  }

  /** Take in values that changed, at the same place. */
  again() {
    const { scrollTop } = this.frame;
    const { active } = this;
    this.refresh();
    this.active = active;
    this.frame.scrollTop = scrollTop;
    this.draw();
  }

  /** Lay out what is shown: rows, or groups and the rows of those that are unfolded. */
  fold() {
    if (!this.group) {
      this.entries = this.rows;
      return;
    }
    this.entries = [];
    for (const group of grouped(this.table, this.rows, this.group, this.summed)) {
      this.entries.push(group);
      if (this.unfolded.has(group.text)) for (const row of group.rows) this.entries.push(row);
    }
  }

  tell() {
    const sums = totals(this.table, this.rows, this.summed);
    const parts = this.columns.filter((c) => c.sum && c.label !== "planned")
      .map((c) => `${c.label.toLowerCase()} ${SHOWN[c.kind](sums[c.name])}`);
    const of = this.rows.length === this.table.rows ? "" : ` of ${this.table.rows.toLocaleString("en")}`;
    this.status.textContent = [plural(this.rows.length, ...this.noun) + of, ...parts].join(" · ");
  }

  measure() {
    const probe = this.body.querySelector("tr.row");
    this.height = probe ? probe.getBoundingClientRect().height || 34 : 34;
    this.draw();
  }

  draw() {
    const seen = Math.ceil(this.frame.clientHeight / this.height) + 1;
    let first = Math.max(0, Math.floor(this.frame.scrollTop / this.height) - SPARE);
    let stop = Math.min(this.entries.length, first + seen + 2 * SPARE);
    if (this.printing) [first, stop] = [0, Math.min(this.entries.length, PRINTED)];
    this.first = first;
    const rows = [];
    for (let at = first; at < stop; at++) rows.push(this.row(this.entries[at], at));
    const focused = this.body.contains(document.activeElement);
    this.body.replaceChildren(
      this.space(first * this.height), ...rows, this.space(Math.max(0, this.entries.length - stop) * this.height));
    this.grid.setAttribute("aria-rowcount", this.entries.length + 2);
    if (focused) this.focus(false);
    if (!this.measured && rows.length) {
      this.measured = true;
      this.measure();
    }
  }

  space(height) {
    return element("tr", { "aria-hidden": "true", class: "space" }, element("td", { colspan: narrow.matches ? this.columns.filter((c) => c.phone).length : this.columns.length, style: `height:${height}px` }));
  }

  row(entry, at) {
    const tab = at === this.active ? "0" : "-1";
    const place = { class: "row", "data-at": at, "aria-rowindex": at + 3 };
    if (typeof entry === "object") {
      const open = this.unfolded.has(entry.text);
      const button = element("button", { type: "button", tabindex: tab, "aria-expanded": String(open) },
        `${entry.text || "(none)"} · ${plural(entry.rows.length, ...this.noun)}`);
      return element("tr", { ...place, class: "row group" }, ...this.columns.map((c, i) =>
        element(i ? "td" : "th", { class: this.classes(c), ...(i ? {} : { scope: "row" }) },
          i ? (c.sum ? SHOWN[c.kind](entry.totals[c.name]) : c.ratio ? SHOWN[c.kind](c.ratio(entry.totals)) : "") : button)));
    }
    const cells = this.columns.map((c, i) => {
      const text = this.shown(c, entry);
      if (i && ["text", "words"].includes(c.kind)) return element("td", { class: this.classes(c), title: text }, element("span", {}, text));
      if (i) return element("td", { class: this.classes(c) }, text);
      const under = this.under && cell(this.table.columns[this.under], entry);
      return element("th", { scope: "row", class: this.classes(c) }, element("button", { type: "button", tabindex: tab, title: text }, text),
        under ? element("small", { class: "under" }, under) : "");
    });
    const made = element("tr", place, ...cells);
    this.decorate?.(made, entry);
    return made;
  }

  shown(column, row) {
    const value = cell(this.table.columns[column.name], row);
    if (column.kind === "words") return value.split(";").filter(Boolean).map(asWords).join(", ");
    if (column.kind === "units") return this.written(column)(value);
    return SHOWN[column.kind] ? SHOWN[column.kind](value) : value;
  }

  /** Return what writes a column's units; made anew where its values were replaced. */
  written(column) {
    const { values } = this.table.columns[column.name];
    const made = this.formats.get(column.name);
    if (made?.values === values) return made.write;
    const write = alike(values);
    this.formats.set(column.name, { values, write });
    return write;
  }

  clicked(event) {
    const tr = event.target.closest("tr.row");
    if (!tr || event.target.closest("input, select, a, [data-own]")) return;
    this.choose(Number(tr.dataset.at));
  }

  choose(at) {
    this.active = at;
    const entry = this.entries[at];
    if (typeof entry !== "object") {
      this.open(entry);
      return;
    }
    if (this.unfolded.has(entry.text)) this.unfolded.delete(entry.text);
    else this.unfolded.add(entry.text);
    this.fold();
    this.draw();
    this.focus();
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.frame.clientHeight / this.height) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -this.entries.length, End: this.entries.length };
    const step = steps[event.key];
    if (step === undefined || event.target.matches("input, select") || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.active = Math.min(Math.max(this.active + step, 0), this.entries.length - 1);
    this.focus();
  }

  /** Put the keyboard on the active row, scrolled into sight. */
  focus(scroll = true) {
    if (scroll) {
      const top = this.active * this.height;
      const head = this.grid.tHead.offsetHeight;
      const { scrollTop, clientHeight } = this.frame;
      if (top < scrollTop) this.frame.scrollTop = top;
      if (top + this.height > scrollTop + clientHeight - head) this.frame.scrollTop = top + this.height - clientHeight + head;
      this.draw();
    }
    this.body.querySelector(`tr[data-at="${this.active}"] button`)?.focus({ preventScroll: true });
  }

  /** Return the row before or after another in the order shown; undefined at either end. */
  neighbour(row, step) {
    return this.rows[this.rows.indexOf(row) + step];
  }

  print(on) {
    this.printing = on;
    this.root.classList.toggle("cut", on && this.entries.length > PRINTED);
    this.draw();
  }

  download() {
    const head = this.columns.map((c) => c.label);
    const lines = [...this.rows].map((row) => this.columns.map((c) => cell(this.table.columns[c.name], row)));
    const text = [head, ...lines].map((cells) => cells.map(csvCell).join(",")).join("\r\n");
    const url = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
    const link = element("a", { href: url, download: `${this.label.toLowerCase().replaceAll(" ", "-")}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }
}

/** Return a cell of a CSV; text that a spreadsheet would take for a formula gets an apostrophe. */
export function csvCell(value) {
  if (typeof value === "number") return Number.isNaN(value) ? "" : String(value);
  const text = /^[=+\-@\t\r]/.test(value) && Number.isNaN(Number(value)) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
