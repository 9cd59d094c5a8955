// What if: a plan under other lead times, prices, service or money, and scenarios side by side.

import { element, newId } from "./dom.js";
import { asMoney, asUnits, plural, withSign } from "./format.js";

const ROWS = [
  ["orders", "orders", asUnits],
  ["units", "units to order", asUnits],
  ["value", "value of the orders", asMoney],
  ["holding_cost", "holding, until the next order arrives", asMoney],
  ["stockout_cost", "stockouts, until the next order arrives", asMoney],
  ["unavoidable_cost", "missed before an order can arrive", asMoney],
  ["cost", "the three together", asMoney],
];
const SCOPES = [["supplier", "one supplier"], ["location", "one location"], ["category", "one category"], ["product", "one product"], ["unique_id", "one series"]];
const CHANGES = 20; // rows shown of those that differ
const round = (value) => Math.round(value * 100) / 100;
const total = (t) => ({ ...t, cost: t.holding_cost + t.stockout_cost + t.unavoidable_cost });
const cell = (name, text) => element(name, {}, text);

/** Say in words what was assumed. */
export function assumed(a, unit) {
  const said = [];
  if (a.lead_time_times !== 1) said.push(`lead time times ${asUnits(a.lead_time_times)}`);
  if (a.lead_time_added) said.push(`lead time ${a.lead_time_added > 0 ? "longer" : "shorter"} by ${plural(Math.abs(a.lead_time_added), unit)}`);
  if (a.price_times !== 1) said.push(`price ${withSign(`${round(100 * (a.price_times - 1))} %`, a.price_times - 1)}`);
  if (a.service_level) said.push(`service level ${round(100 * a.service_level)} %`);
  if (a.budget !== null && a.budget !== undefined) said.push(`at most ${asMoney(a.budget) || 0} to spend`);
  if (a.with_overrides) said.push("with today's overrides");
  return `${said.join(", ")}, for ${a.column ? `${a.column === "unique_id" ? "series" : a.column} ${a.value}` : "all series"}`;
}

/** The form of assumptions; fixed: of one series, whose scope is not asked. */
export class WhatIf {
  constructor(desk, rows, { fixed = null, done = () => {} } = {}) {
    Object.assign(this, { desk, rows, fixed, done });
    this.result = element("div", { "aria-live": "polite" });
    this.fault = element("p", { role: "alert", class: "no", hidden: true });
    this.root = element("div", { class: "act" }, ...this.form(), this.fault, this.result);
  }

  field(label, attributes, after = "") {
    const input = element("input", { id: newId("what"), ...attributes });
    this[attributes.name] = input;
    return element("span", { class: "field" }, element("label", { for: input.id }, label), " ", input, after);
  }

  form() {
    const { unit } = this.desk.about;
    const compute = element("button", { type: "button", class: "main", onclick: () => this.compute(compute) }, "Compute");
    const number = (name, more) => ({ name, type: "number", step: "any", ...more });
    return [
      ...(this.fixed ? [] : [this.scope()]),
      element("p", {},
        this.field("Lead time times", number("times", { value: "1", min: "0", max: "10" })), " ",
        this.field("and longer by", number("added", { value: "0", step: "1" }), ` ${unit}s `), " ",
        this.field("Price changes by", number("price", { value: "0", min: "-90", max: "900" }), " % ")),
      element("p", {},
        this.field("Service level", number("service", { min: "50", max: "99.99", placeholder: "as is" }), " % "), " ",
        this.field(`Money to spend${this.desk.about.currency ? `, ${this.desk.about.currency}` : ""}`, number("budget", { min: "0", placeholder: "no limit" })), " ",
        this.overridesBox(), " ", compute),
    ];
  }

  overridesBox() {
    this.overrides = element("input", { type: "checkbox", id: newId("what") });
    return element("label", { for: this.overrides.id, class: "check" }, this.overrides, " with the overrides that stand now");
  }

  scope() {
    const list = element("datalist", { id: newId("what") });
    this.value = element("input", { id: newId("what"), list: list.id, hidden: true, "aria-label": "Which one" });
    this.column = element("select", { id: newId("what"), onchange: () => this.listed(list) },
      element("option", { value: "" }, "all series"),
      ...SCOPES.filter(([name]) => this.rows.columns[name]?.texts?.some(Boolean)).map(([name, label]) => element("option", { value: name }, label)));
    return element("p", {}, element("label", { for: this.column.id }, "For"), " ", this.column, " ", this.value, list);
  }

  listed(list) {
    const name = this.column.value;
    this.value.hidden = !name;
    this.value.value = "";
    const texts = name ? this.rows.columns[name].texts.filter(Boolean).slice(0, 500) : [];
    list.replaceChildren(...texts.map((text) => element("option", { value: text })));
  }

  said() {
    const number = (input) => {
      // A browser hands out nothing where no number is written: that is not "as is".
      if (input.validity.badInput) throw new Error(`${input.labels[0].textContent}: write a number, or nothing.`);
      return input.value.trim() === "" ? null : Number(input.value);
    };
    return {
      column: this.fixed ? "unique_id" : this.column.value,
      value: this.fixed ?? this.value.value,
      lead_time_times: number(this.times) ?? 1,
      lead_time_added: Math.round(number(this.added) ?? 0),
      price_times: round(100 + (number(this.price) ?? 0)) / 100,
      service_level: number(this.service) === null ? null : number(this.service) / 100,
      budget: number(this.budget),
      with_overrides: this.overrides.checked,
    };
  }

  async compute(button) {
    button.disabled = true;
    this.result.replaceChildren(element("p", { role: "status" }, "Planning again …"));
    try {
      const said = this.said();
      const found = await this.desk.ask("what-if", { review_date: this.desk.about.review_date, ...said });
      this.fault.hidden = true;
      this.result.replaceChildren(...this.outlook(found, said), this.keep(said));
    } catch (error) {
      this.result.replaceChildren();
      this.fault.textContent = error.message;
      this.fault.hidden = false;
    }
    button.disabled = false;
  }

  outlook(found, said) {
    const before = total(found.before), after = total(found.after);
    const also = found.before.orders !== undefined && said.column && found.num_changed > found.num_series
      ? "Orders that share a supplier's limits with them are planned again too." : "";
    const head = ["", "as planned", "what if", "difference"];
    const rows = ROWS.map(([name, label, shown]) => element("tr", {}, element("th", { scope: "row" }, label),
      ...[before[name], after[name]].map((v) => cell("td", shown(round(v)))), cell("td", withSign(shown(round(after[name] - before[name])), after[name] - before[name]))));
    const item = (id) => this.desk.nameOf(id);
    const changes = found.changes.slice(0, CHANGES);
    return [
      element("p", { role: "status" }, `${plural(found.num_series, "series", "series")} planned again; ${plural(found.num_changed, "order differs", "orders differ")}. ${also}`),
      ...found.notes.map((note) => element("p", { class: "no" }, `${note.charAt(0).toUpperCase()}${note.slice(1)}.`)),
      element("table", { class: "facts compare" }, element("thead", {}, element("tr", {}, ...head.map((t) => (t ? element("th", { scope: "col" }, t) : cell("td", ""))))), element("tbody", {}, ...rows)),
      changes.length > 1 ? element("details", {}, element("summary", {}, `The ${changes.length < found.num_changed ? `${changes.length} largest of ${found.num_changed}` : found.num_changed} orders that differ`),
        element("table", { class: "facts compare" }, element("thead", {}, element("tr", {}, ...["series", "as planned", "what if", "value more"].map((t) => element("th", { scope: "col" }, t)))),
          element("tbody", {}, ...changes.map((c) => element("tr", {}, element("th", { scope: "row" }, element("a", { href: `#series=${encodeURIComponent(c.unique_id)}` }, item(c.unique_id))),
            cell("td", asUnits(c.before)), cell("td", c.after === null ? "none possible" : asUnits(c.after)), cell("td", withSign(asMoney(round((c.value_after ?? 0) - (c.value_before ?? 0))), (c.value_after ?? 0) - (c.value_before ?? 0)))))))) : "",
    ];
  }

  keep(said) {
    const line = element("p", {},
      this.field("Keep it as", { name: "named", maxlength: "200", placeholder: "a name" }), " ",
      this.field("Your name", { name: "who", maxlength: "200", value: this.desk.who, autocomplete: "name" }), " ",
      this.field("Why", { name: "why", maxlength: "1000" }), " ",
      element("button", { type: "button", onclick: () => this.save(said) }, "Keep scenario"));
    return line;
  }

  async save(said) {
    if (!this.who.value.trim() || !this.named.value.trim()) {
      this.fault.textContent = "Give the scenario a name, and say who you are.";
      this.fault.hidden = false;
      return;
    }
    this.desk.remember(this.who.value.trim());
    try {
      const body = { review_date: this.desk.about.review_date, ...said, name: this.named.value.trim(), who: this.who.value.trim(), why: this.why.value };
      const { scenarios } = await this.desk.ask("scenarios", body);
      this.desk.scenarios = scenarios;
      this.fault.hidden = true;
      this.result.replaceChildren(element("p", { role: "status" }, `Kept as "${body.name}": it stands beside the plan on the page "What if".`));
      this.done();
    } catch (error) {
      this.fault.textContent = error.message;
      this.fault.hidden = false;
    }
  }
}

/** The page "What if": a form, and what was kept, side by side with the plan. */
export class Scenarios {
  constructor(root, desk, rows) {
    Object.assign(this, { desk });
    this.told = element("p", { role: "status" });
    this.list = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Scenarios side by side" });
    const form = new WhatIf(desk, rows, { done: () => this.draw() });
    root.append(form.root, element("h3", {}, "Side by side, the whole plan"), this.told, this.list);
    this.draw();
  }

  measure() {
    this.draw();
  }

  draw() {
    const { scenarios, about } = this.desk;
    if (!scenarios.length) {
      this.list.replaceChildren(element("p", { class: "soft" }, "Nothing is kept yet: compute something above and keep it."));
      return;
    }
    const plan = total(scenarios[0].outlook.whole);
    const whole = scenarios.map(({ outlook: o }) => total(Object.fromEntries(Object.keys(o.whole).map((k) => [k, o.whole[k] - o.before[k] + o.after[k]]))));
    const row = (label, cells, name = "td") => element("tr", {}, element("th", { scope: "row" }, label), ...cells.map((c) => element(name, {}, c)));
    const buttons = (s) => element("span", { class: "buttons" },
      element("button", { type: "button", onclick: () => this.act("take", s, (a) => `${plural(a.taken, "order")} changed as in "${s.name}".${a.num_kept ? ` ${plural(a.num_kept, "order")} had been decided already and stayed.` : ""}`, "give-back", (a) => `${plural(a.given_back, "order")} given back.`) }, "Take its orders"),
      element("button", { type: "button", onclick: () => this.act("remove", s, () => `"${s.name}" removed.`, "restore", () => `"${s.name}" is back.`) }, "Remove"));
    this.list.replaceChildren(element("table", { class: "facts compare" },
      element("thead", {}, element("tr", {}, cell("td", ""), element("th", { scope: "col" }, "the plan"), ...scenarios.map((s) => element("th", { scope: "col" }, s.name)))),
      element("tbody", {},
        row("assumed", ["as it is", ...scenarios.map((s) => assumed(s.assumptions, about.unit))]),
        ...ROWS.map(([name, label, shown]) => row(label, [plan, ...whole].map((t, at) => at && round(t[name] - plan[name])
          ? element("span", {}, shown(round(t[name])), element("span", { class: "soft" }, ` (${withSign(shown(round(t[name] - plan[name])), t[name] - plan[name])})`)) : shown(round(t[name]))))),
        row("by", ["", ...scenarios.map((s) => `${s.who}, ${s.made_at.replace("T", " ").slice(0, 16)} UTC${s.why ? `: ${s.why}` : ""}`)]),
        row("", ["", ...scenarios.map(buttons)]))));
  }

  /** Do something to a scenario, tell it, and offer to undo it. */
  async act(path, scenario, told, back, toldBack) {
    const ask = async (way) => {
      const found = await this.desk.ask(`scenarios/${way}`, { review_date: this.desk.about.review_date, id: scenario.id, who: this.desk.who || "unknown" });
      if (found.scenarios) this.desk.scenarios = found.scenarios;
      await this.desk.load();
      this.draw();
      return found;
    };
    try {
      const found = await ask(path);
      const undo = element("button", { type: "button", onclick: async () => {
        try {
          this.told.replaceChildren(toldBack(await ask(back)));
        } catch (error) {
          this.told.replaceChildren(error.message);
        }
      } }, "Undo");
      this.told.replaceChildren(`${told(found)} `, undo);
    } catch (error) {
      this.told.replaceChildren(error.message);
    }
  }
}
