// The hand on the page, where `invopt plan` serves it: decisions, overrides, undo.

import { element, newId } from "./dom.js";
import { asMoney, asUnits, known, plural } from "./format.js";

const WORDS = { open: "open", accepted: "accepted", changed: "changed", snoozed: "snoozed", rejected: "rejected" };

export class Desk {
  /** rows: the packed orders, which get a column of decisions; changed() redraws the tables. */
  constructor(api, about, rows, changed) {
    Object.assign(this, { api, about, rows, changed });
    this.decisions = new Map();
    this.overrides = [];
    this.scenarios = [];
    const { texts, codes } = rows.columns.unique_id;
    this.row = new Map(Array.from(codes, (code, row) => [texts[code], row]));
    rows.columns.decision = { texts: Object.values(WORDS), codes: new Int8Array(rows.rows) };
    this.who = localStorage.getItem("invopt-who") ?? "";
    this.plan = rows.columns.order_quantity.values.slice();
    this.value = rows.columns.order_value.values.slice();
  }

  async load() {
    const state = await this.ask("state");
    this.overrides = state.overrides;
    this.scenarios = state.scenarios;
    const before = this.latest;
    this.latest = JSON.stringify(state.decisions);
    for (const decision of state.decisions) this.take(decision);
    // Also takes back what was said while the server did not answer.
    this.tell(state.latest === this.about.review_date ? "" : `A newer plan, of ${state.latest}, is there: load the page again. What was decided is kept.`);
    if (before !== this.latest) this.changed();
    this.sum();
  }

  remember(who) {
    this.who = who;
    localStorage.setItem("invopt-who", who);
  }

  nameOf(id) {
    const row = this.row.get(id), { name } = this.rows.columns;
    return (row !== undefined && name?.texts[name.codes[row]]) || id;
  }

  /** Look every few seconds for what others do. */
  watch() {
    setInterval(() => this.load().catch((error) => this.tell(error.message)), 5000);
  }

  /** Say above the tables what the plan comes to with what was decided. */
  sum() {
    const decided = [...this.decisions.values()].filter((d) => d.state !== "open");
    const place = document.getElementById("decided");
    place.hidden = !decided.length;
    const { order_quantity: units, order_value: value } = this.rows.columns;
    const added = (values) => values.reduce((sum, v) => sum + (Number.isNaN(v) ? 0 : v), 0);
    place.textContent = `${plural(decided.length, "order")} decided: with that ${asUnits(Math.round(added(units.values)))} units, ${asMoney(added(value.values))}.`;
  }

  take(decision) {
    const row = this.row.get(decision.unique_id);
    if (row === undefined) return;
    this.decisions.set(decision.unique_id, decision);
    const { columns } = this.rows;
    columns.decision.codes[row] = columns.decision.texts.indexOf(decision.state);
    const unit = this.plan[row] > 0 ? this.value[row] / this.plan[row] : columns.unit_cost.values[row];
    const drops = decision.state === "rejected" || decision.state === "snoozed";
    const quantity = known(decision.quantity) ? decision.quantity : drops ? 0 : this.plan[row];
    columns.order_quantity.values[row] = quantity;
    columns.order_value.values[row] = quantity === this.plan[row] ? this.value[row] : quantity * unit;
  }

  async ask(path, body) {
    const answer = await fetch(`${this.api}/${path}`, body === undefined ? {} : {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    }).catch(() => {
      throw new Error("The server does not answer: what was saved is kept, what you do now is not. Is invopt plan still running?");
    });
    const content = await answer.json().catch(() => ({}));
    if (answer.ok) return content;
    const error = new Error(content.error ?? `The server answered ${answer.status}.`);
    error.now = content.now;
    throw error;
  }

  tell(text) {
    const place = document.getElementById("fault");
    place.hidden = !text;
    place.textContent = text;
  }

  /** Return the form of one series. */
  controls(series) {
    const id = series.get("unique_id");
    const now = this.decisions.get(id) ?? { unique_id: id, version: 0, state: "open" };
    const status = element("p", { role: "status" }, standing(now));
    // What stands in the form, whatever came in since: who decides has seen what they decide over.
    let shown = now.version;
    const fault = element("p", { role: "alert", class: "no", hidden: true });
    const planned = this.plan[series.row];
    const field = (label, attributes) => {
      const input = element("input", { id: newId("field"), ...attributes });
      return [element("label", { for: input.id }, label), input];
    };
    const quantity = known(series.get("order_quantity")) ? series.get("order_quantity") : 0;
    const [unitsLabel, units] = field("Units", { type: "number", min: "0", step: "any", value: String(quantity) });
    const [whoLabel, who] = field("Your name", { value: this.who, autocomplete: "name", maxlength: "200", oninput: (event) => this.remember(event.target.value.trim()) });
    const [whyLabel, why] = field("Why", { maxlength: "1000" });
    const pack = series.get("pack_size");
    const hint = element("span", { class: "soft" });
    units.addEventListener("input", () => {
      const wanted = units.value.trim() === "" ? NaN : Number(units.value);
      const odd = known(pack) && pack > 0 && Math.abs(wanted / pack - Math.round(wanted / pack)) > 1e-9;
      hint.textContent = odd ? ` not a multiple of the pack of ${asUnits(pack)}` : "";
      if (Number.isFinite(wanted) && wanted >= 0) series.redraw(wanted);
    });
    const say = (text) => {
      fault.textContent = text;
      fault.hidden = false;
    };
    const act = async (path, body, done) => {
      if (!who.value.trim()) {
        say("Say who you are: decisions are kept with a name.");
        who.focus();
        return;
      }
      this.remember(who.value.trim());
      try {
        done(await this.ask(path, { review_date: this.about.review_date, unique_id: id, who: this.who, ...body }));
        fault.hidden = true;
      } catch (error) {
        if (error.now) {
          this.take(error.now);
          shown = error.now.version;
          status.textContent = standing(error.now);
        }
        say(error.message);
      }
    };
    const decided = (decision) => {
      this.take(decision);
      shown = decision.version;
      this.changed();
      this.sum();
      status.textContent = standing(decision);
      units.value = String(this.rows.columns.order_quantity.values[series.row]);
      series.redraw(Number(units.value));
    };
    const decide = (state, quantity) => act("decisions", { version: shown, state, quantity, why: why.value }, decided);
    const change = () => {
      // An empty field reads as 0: an order that nobody meant to drop.
      if (units.value.trim() === "") return say("Say how many units: 0 orders nothing.");
      const wanted = Number(units.value);
      return wanted === planned ? decide("accepted") : decide("changed", wanted);
    };
    const button = (label, click) => element("button", { type: "button", onclick: click }, label);
    const [fromLabel, first] = field("From", { type: "date", value: this.about.ahead[0] });
    const [toLabel, last] = field("to", { type: "date", value: this.about.ahead[Math.min(6, this.about.ahead.length - 1)] });
    const [valueLabel, value] = field("Value", { type: "number", min: "0", step: "any" });
    const saveOverride = () => act("overrides", { first: first.value, last: last.value, kind: kind.value, value: Number(value.value || NaN), why: why.value }, () => relist());
    const kind = element("select", { id: newId("field") }, element("option", { value: "demand" }, "units in all"), element("option", { value: "factor" }, "times the forecast"));
    const list = element("ul", {});
    const withdraw = (o) => this.ask("withdraw", { id: o.id, who: who.value.trim() || this.who || "unknown" });
    const relist = async () => {
      await this.load();
      list.replaceChildren(...this.overrides.filter((o) => o.unique_id === id).map((o) => element("li", {},
        `${o.kind === "factor" ? `forecast times ${o.value}` : `${asUnits(o.value)} units`}, ${o.from} to ${o.to}, ${o.who}: ${o.why} `,
        button("Withdraw", () => withdraw(o).then(relist, (error) => say(error.message))))));
    };
    relist().catch(() => {});
    return element("div", { class: "act", role: "group", "aria-label": "Your decision" },
      element("p", {}, unitsLabel, " ", units, hint, " ", whoLabel, " ", who, " ", whyLabel, " ", why),
      element("p", { class: "buttons" },
        button("Accept", () => decide("accepted")),
        button("Save change", () => change()),
        button("Snooze", () => decide("snoozed")),
        button("Reject", () => decide("rejected")),
        button("Undo", () => (shown ? act("undo", { version: shown }, decided) : null))),
      status, fault,
      element("details", { open: true }, element("summary", {}, "Override the forecast (the next run plans with it)"),
        element("p", { onkeydown: (event) => event.key === "Enter" && event.target === value && saveOverride() }, fromLabel, " ", first, " ", toLabel, " ", last, " ", element("label", { for: kind.id }, "as"), " ", kind, " ", valueLabel, " ", value, " ",
          button("Save override", () => saveOverride())),
        element("p", { class: "soft" }, "Say why above; it is kept with your name.")),
      list,
      element("details", {}, element("summary", {}, "What if: lead time, price, service, money"), this.whatIf(id)));
  }
}

function standing(decision) {
  if (!decision.version) return "Nobody has decided yet.";
  const when = `${decision.made_at.replace("T", " ").slice(0, 16)} UTC`;
  if (decision.state === "open") return `Open again: ${decision.who} took the decision back, ${when}.`;
  const what = decision.state === "changed" ? `changed to ${asUnits(decision.quantity)} units` : WORDS[decision.state];
  return `${what.charAt(0).toUpperCase()}${what.slice(1)} by ${decision.who}, ${when}${decision.why ? `: ${decision.why}` : ""}.`;
}
