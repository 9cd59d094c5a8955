// Pictures of one series: the fan of demand and the projected stock. A table says the same in words.

import uPlot from "uplot";
import { asUnits } from "./format.js";

const INK = "#1b2430", SOFT = "#5b6675", LINE = "#e3e7ed", BLUE = "#2457c5", TEAL = "#0f7373", AMBER = "#b36b00";
const seconds = (day) => Date.parse(`${day}T00:00:00Z`) / 1000;
const days = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", timeZone: "UTC" });
const dayOf = (at) => days.format(new Date(at * 1000));
const rounded = (u, value) => (value === null || value === undefined ? "–" : asUnits(Math.round(value * 10) / 10));

function base(width, title, series, more = {}) {
  const axis = { stroke: SOFT, grid: { stroke: LINE, width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
  return {
    width,
    height: 230,
    title,
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "UTC"),
    scales: { y: { range: (u, low, high) => [Math.min(0, low), Math.max(1, high * 1.08)] } },
    axes: [
      { ...axis, grid: { show: false }, space: 70, values: (u, ticks) => ticks.map(dayOf) },
      { ...axis, size: 60, values: (u, ticks) => ticks.map((t) => (t === null ? "" : asUnits(t))) },
    ],
    legend: { live: true },
    cursor: { points: { size: 6 }, drag: { x: false, y: false } },
    series: [{ label: "date", value: (u, at) => (at === null ? "–" : new Date(at * 1000).toISOString().slice(0, 10)) }, ...series],
    ...more,
  };
}

const hidden = { points: { show: false } };
const listed = (values) => Array.from(values, (v) => (Number.isNaN(v) ? null : v));

/** Draw latest sales and the fan of demand ahead into an element. */
export function drawFan(place, about, { history, mean, fan }) {
  const past = about.history.map(seconds), ahead = about.ahead.map(seconds);
  const none = past.map(() => null);
  const lines = [[...listed(history), ...ahead.map(() => null)], [...none, ...listed(mean)],
    ...fan.map((values) => [...none, ...listed(values)])];
  const bands = [];
  for (let low = 0; low < Math.floor(fan.length / 2); low++) {
    bands.push({ series: [3 + fan.length - 1 - low, 3 + low], fill: low ? "rgba(36,87,197,.22)" : "rgba(36,87,197,.13)" });
  }
  const edges = about.fan.map((level) => ({
    ...hidden, label: `${Math.round(level * 100)} % quantile`, stroke: "rgba(36,87,197,.35)", width: 0.5, value: rounded,
  }));
  return new uPlot(base(place.clientWidth, `Demand per ${about.unit}, units`, [
    { ...hidden, label: "sold", stroke: INK, width: 1.2, value: rounded, spanGaps: false },
    { ...hidden, label: "forecast", stroke: BLUE, width: 2, value: rounded }, ...edges], { bands }),
  [[...past, ...ahead], ...lines], place);
}

/** Draw the projected stock with and without the order, and what arrives, into an element. */
export function drawStock(place, about, { path, without, arrivals, order }) {
  const bars = uPlot.paths.bars({ size: [0.6, 14] });
  const nothing = (values) => listed(values).map((v) => v || null);
  return new uPlot(base(place.clientWidth, `Projected stock at the end of each ${about.unit}, units`, [
    { ...hidden, label: "under way arrives", stroke: TEAL, fill: "rgba(15,115,115,.45)", paths: bars, value: rounded },
    { ...hidden, label: "this order arrives", stroke: AMBER, fill: "rgba(179,107,0,.5)", paths: bars, value: rounded },
    { ...hidden, label: "stock without the order", stroke: SOFT, dash: [5, 4], width: 1.5, value: rounded },
    { ...hidden, label: "stock with the order", stroke: BLUE, width: 2, value: rounded },
  ]), [about.ahead.map(seconds), nothing(arrivals), nothing(order), listed(without), listed(path)], place);
}

/** Return stock at the end of each period ahead: arrivals first, then mean demand. */
export function stockPath(start, mean, arrivals, order, isLost) {
  const path = new Float64Array(mean.length);
  let stock = start;
  for (let at = 0; at < mean.length; at++) {
    stock += arrivals[at] + order[at] - mean[at];
    if (isLost && stock < 0) stock = 0;
    path[at] = stock;
  }
  return path;
}
