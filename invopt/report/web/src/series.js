// One series: all that its order rests on, and what another order would do.

import { cell, line } from "./packed.js";
import { drawFan, drawStock, stockPath } from "./charts.js";
import { element, newId } from "./dom.js";
import { asDays, asMoney, asUnits, asWords, inUnits, known, plural, withSign } from "./format.js";

export class Series {
  /** details: a promise of the packed details; neighbour(row, step) tells the next row. */
  constructor({ about, rows, details, exceptions, neighbour, controls }) {
    Object.assign(this, { about, rows, details, exceptions, neighbour, controls });
    this.title = element("h2", { id: newId("series"), tabindex: "-1" });
    this.before = element("button", { type: "button", onclick: () => this.step(-1) }, "Previous");
    this.after = element("button", { type: "button", onclick: () => this.step(1) }, "Next");
    const close = element("button", { type: "button", class: "close", onclick: () => this.dialog.close() }, "Close");
    this.content = element("div", { class: "content" });
    this.dialog = element("dialog", { "aria-labelledby": this.title.id, class: "series" },
      element("div", { class: "top" }, this.title, this.before, this.after, close), this.content);
    this.dialog.addEventListener("close", () => {
      if (location.hash) history.replaceState(null, "", location.pathname + location.search);
      this.back?.focus({ preventScroll: true });
    });
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    document.body.append(this.dialog);
  }

  get(name) {
    const column = this.rows.columns[name];
    return column === undefined ? NaN : cell(column, this.row);
  }

  step(by) {
    const next = this.neighbour(this.row, by);
    if (next !== undefined) this.open(next);
  }

  async open(row) {
    this.row = row;
    if (!this.dialog.open) {
      this.back = document.activeElement;
      this.dialog.showModal();
    }
    const id = this.get("unique_id");
    history.replaceState(null, "", `#series=${encodeURIComponent(id)}`);
    this.before.disabled = this.neighbour(row, -1) === undefined;
    this.after.disabled = this.neighbour(row, 1) === undefined;
    this.title.textContent = this.get("name") || this.get("product") || id;
    this.title.focus({ preventScroll: true });
    this.dialog.scrollTop = 0;
    this.changedQuantity = undefined;
    const detail = await this.details;
    if (this.row !== row) return;
    this.detail = Object.fromEntries(Object.entries(detail.columns).map(([name, column]) => [
      name, column.width > 1 || ["mean", "arrivals", "history"].includes(name) ? line(column, row) : cell(column, row),
    ]));
    this.show();
  }

  show() {
    const id = this.get("unique_id");
    const where = ["product", "location", "supplier", "category"].map((n) => this.get(n)).filter((t) => t && t !== this.title.textContent);
    const exceptions = this.exceptions.of(this.row);
    this.content.replaceChildren(
      element("p", { class: "soft" }, [id, ...where, this.get("segment") && `class ${this.get("segment")}`].filter(Boolean).join(" · ")),
      this.figures(),
      ...(this.controls ? [this.controls(this)] : []),
      exceptions.length ? element("ul", { class: "wrong" }, ...exceptions.map((e) => element("li", {},
        element("b", {}, asWords(e.exception)), ` ${[e.date, known(e.units) ? inUnits(e.units) : "", asMoney(e.money)].filter(Boolean).join(", ")} `,
        element("span", { class: "soft" }, e.advice)))) : "",
      element("h3", {}, "Why"), element("p", { class: "why" }, this.reason()),
      ...this.stock(), ...this.demand(), ...this.neighbours(), ...this.changed(), ...this.happened(), this.terms());
    this.draw();
  }

  reason() {
    const text = this.get("reason");
    return text.charAt(0).toUpperCase() + text.slice(1).replace(/\.?$/, ".");
  }

  figures() {
    const dry = this.get("stockout_date");
    const list = [
      [asUnits(this.get("order_quantity")) || "none possible", "units to order"],
      [asMoney(this.get("order_value")) || "–", "order value"],
      [this.get("arrival_date"), "would arrive"],
      [asUnits(this.get("on_hand")) || "unknown", "on hand"],
      [asUnits(this.get("on_order")) || "–", "under way"],
      [asDays(this.get("days_of_cover")) || "–", "days of cover"],
      [dry || "not before the next order", "likely stockout"],
    ];
    return element("div", { class: "figures" }, ...list.map(([value, label]) =>
      element("div", { class: "figure" }, element("b", {}, value), element("span", {}, label))));
  }

  /** Units of an order by period ahead: it arrives lead_time + 1 periods after the review. */
  arriving(quantity) {
    const order = new Float64Array(this.detail.mean.length);
    const at = this.get("lead_time");
    if (known(quantity) && at < order.length) order[at] = quantity;
    return order;
  }

  quantity() {
    return this.changedQuantity ?? this.get("order_quantity");
  }

  paths() {
    const { mean, arrivals } = this.detail;
    const start = this.get("on_hand") - (known(this.get("backorders")) ? this.get("backorders") : 0);
    const none = new Float64Array(mean.length);
    const order = this.arriving(this.quantity());
    return {
      order, arrivals,
      path: stockPath(start, mean, arrivals, order, this.about.lost_sales),
      without: stockPath(start, mean, arrivals, none, this.about.lost_sales),
    };
  }

  stock() {
    if (!known(this.detail.mean[0])) return [element("p", {}, "It sells nothing itself: what it orders is for the places it supplies, and no forecast of its own can be drawn.")];
    if (!known(this.get("on_hand"))) return [element("p", {}, "The stock is not known: no path can be drawn.")];
    const { path, without, arrivals, order } = this.paths();
    const dry = path.findIndex((units) => units <= 0.005);
    const label = `Projected stock at mean demand: ${inUnits(Math.round(path[0]))} after the first ${this.about.unit}, `
      + (dry < 0 ? "not empty within the forecast" : `empty on ${this.about.ahead[dry]}`)
      + `, ${asUnits(Math.round(path[path.length - 1]))} at the end.`;
    this.stockPlace = element("div", { role: "img", "aria-label": label, class: "chart" });
    const moved = this.get("transfer_quantity");
    const beside = moved ? element("p", { class: "soft" }, `${inUnits(Math.abs(moved))} ${moved > 0 ? "come from" : "go to"} other shops: they are not in this picture.`) : "";
    const head = ["Date", "Arrives", "This order", "Without the order", "With the order"];
    const rows = this.about.ahead.map((day, at) => [day, asUnits(arrivals[at]), asUnits(order[at]), asUnits(round(without[at])), asUnits(round(path[at]))]);
    return [element("h3", {}, "Stock ahead"), this.stockPlace, element("p", { class: "soft" }, label), beside, numbers("Stock ahead in numbers", head, rows)];
  }

  demand() {
    const { mean, history } = this.detail;
    if (!known(mean[0])) return [];
    const expected = mean.reduce((a, b) => a + b, 0), sold = history.reduce((a, b) => a + (Number.isNaN(b) ? 0 : b), 0);
    const label = `${inUnits(Math.round(sold))} sold in the latest ${plural(history.length, this.about.unit)}; `
      + `${asUnits(Math.round(expected))} expected in the next ${plural(mean.length, this.about.unit)}.`;
    this.fanPlace = element("div", { role: "img", "aria-label": label, class: "chart" });
    const head = ["Date", "Expected", ...this.about.fan.map((level) => `${Math.round(level * 100)} % quantile`)];
    const rows = this.about.ahead.map((day, at) => [day, asUnits(round(mean[at])), ...this.fan().map((values) => asUnits(round(values[at])))]);
    return [element("h3", {}, "Demand"), this.fanPlace, element("p", { class: "soft" }, label), numbers("Forecast in numbers", head, rows)];
  }

  fan() {
    return this.about.fan.map((_, at) => this.detail[`fan${at}`]);
  }

  draw() {
    if (this.stockPlace?.isConnected) drawStock(this.stockPlace, this.about, this.paths());
    if (this.fanPlace?.isConnected) drawFan(this.fanPlace, this.about, { history: this.detail.history, mean: this.detail.mean, fan: this.fan() });
  }

  /** Draw the stock anew for another quantity. */
  redraw(quantity) {
    this.changedQuantity = quantity;
    this.stockPlace?.replaceChildren();
    if (this.stockPlace?.isConnected) drawStock(this.stockPlace, this.about, this.paths());
  }

  neighbours() {
    const less = this.get("cost_of_one_less"), more = this.get("cost_of_one_more");
    if (!known(less) && !known(more)) return [];
    const pack = this.get("pack_size");
    const unit = pack === 1 || !known(pack) ? "unit" : `pack (${inUnits(pack)})`;
    const told = (cost) => (known(cost) ? `${withSign(asMoney(cost), cost)} ${cost < 0 ? "(it would be cheaper)" : ""}`.trim() : "–");
    return [element("h3", {}, "This order's expected cost"), facts([
      ["held until the next order arrives", asMoney(this.get("expected_holding_cost"))],
      ["stockouts from its arrival to the next order's", asMoney(this.get("expected_stockout_cost"))],
      [`one ${unit} less changes it by`, told(less)],
      [`one ${unit} more changes it by`, told(more)],
      ["saved against ordering nothing", asMoney(this.get("money_at_risk"))],
    ])];
  }

  /** What changed since the last review: parts that add up to the change of the order. */
  changed() {
    const d = this.detail;
    if (!this.about.last_review) return [];
    if (!known(d.last_order_quantity) || !known(this.get("order_quantity"))) {
      return [element("h3", {}, "Since the last review"), element("p", { class: "soft" }, `No order of ${this.about.last_review} to compare with.`)];
    }
    const parts = decomposed({ now: (name) => this.get(name), last: (name) => d[`last_${name}`], interval: d.interval });
    return [element("h3", {}, `What changed since ${this.about.last_review}`), facts([
      [`order of ${this.about.last_review}`, inUnits(d.last_order_quantity)],
      ...parts.filter(([, units]) => Math.abs(units) >= 0.005).map(([label, units]) => [label, withSign(inUnits(units), units)]),
      ["this order", inUnits(this.get("order_quantity"))],
    ], "sum")];
  }

  happened() {
    const d = this.detail;
    if (!this.about.last_review || !known(d.last_expected_demand)) return [];
    const interval = d.last_lead_time + (d.interval - this.get("lead_time"));
    const expected = (d.last_expected_demand * d.elapsed) / Math.max(interval, 1);
    const error = d.sold - expected;
    return [element("h3", {}, "Last plan against what happened"), facts([
      [`expected since, ${plural(d.elapsed, this.about.unit)} of the last plan`, inUnits(round(expected))],
      ["sold since", inUnits(d.sold)],
      ["difference", withSign(inUnits(round(error)), error)],
      ...(d.unseen ? [[`of these ${this.about.unit}s out of stock or not recorded`, asUnits(d.unseen)]] : []),
    ])];
  }

  terms() {
    return element("div", {}, element("h3", {}, "Terms and levels"), facts([
      ["supplied by", this.get("source") && this.get("source") !== this.get("supplier") ? this.get("source") : ""],
      ["lead time", plural(this.get("lead_time"), this.about.unit)],
      ["unit cost", asMoney(this.get("unit_cost"))],
      ["pack size", asUnits(this.get("pack_size"))],
      ["smallest order", asUnits(this.get("min_order"))],
      ["order-up-to level", inUnits(this.get("order_up_to_level"))],
      ["of it expected demand", inUnits(this.get("expected_demand"))],
      ["of it safety stock", inUnits(this.get("safety_stock"))],
      ["missed before an order can arrive", [inUnits(this.get("unavoidable_stockout_units")), asMoney(this.get("unavoidable_stockout_cost"))].filter(Boolean).join(", ")],
      ["model", this.about.model_version],
    ]));
  }
}

/**
 * Return what changed an order since the review before, in units: [label, units] that add up to
 * this order less the last, as they are written. The level is expected demand and safety stock; a
 * longer or shorter time to cover takes its share of the demand at the last plan's pace; packs,
 * minima and limits are the rest.
 */
export function decomposed({ now, last, interval }) {
  const zero = (value) => (known(value) ? value : 0);
  const before = interval - zero(now("lead_time")) + zero(last("lead_time"));
  const pace = before > 0 ? zero(last("expected_demand")) / before : 0;
  const longer = pace * (interval - before);
  const parts = [
    ["forecast", zero(now("expected_demand")) - zero(last("expected_demand")) - longer],
    ["lead time", longer],
    ["safety stock", zero(now("safety_stock")) - zero(last("safety_stock"))],
    ["stock on hand", zero(last("on_hand")) - zero(now("on_hand"))],
    ["under way", zero(last("on_order")) - zero(now("on_order"))],
    ["waiting customers", zero(now("backorders")) - zero(last("backorders"))],
  ].map(([label, units]) => [label, round(units)]);
  const whole = now("order_quantity") - last("order_quantity");
  const rest = whole - parts.reduce((sum, [, units]) => sum + units, 0);
  const others = zero(now("transfer_quantity")) ? ", late arrivals and transfers" : " and late arrivals";
  return [...parts, [`packs, minima, limits${others}`, rest]];
}

const round = (value) => Math.round(value * 10) / 10;

function facts(pairs, kind = "") {
  return element("table", { class: `facts ${kind}` }, element("tbody", {}, ...pairs.filter(([, value]) => value !== "").map(([label, value]) =>
    element("tr", {}, element("th", { scope: "row" }, label), element("td", {}, value)))));
}

function numbers(label, head, rows) {
  return element("details", {}, element("summary", {}, label), element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    element("table", {}, element("thead", {}, element("tr", {}, ...head.map((t) => element("th", { scope: "col" }, t)))),
      element("tbody", {}, ...rows.map((cells) => element("tr", {}, ...cells.map((t, at) => element(at ? "td" : "th", at ? {} : { scope: "row" }, t))))))));
}
