// Bundles the planner's page into ../assets: run `npm ci && npm run build` here after a change.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const sources = readdirSync("src").sort();
const digest = createHash("sha256");
for (const name of sources) digest.update(readFileSync(`src/${name}`));
const { version } = JSON.parse(readFileSync("node_modules/uplot/package.json"));
// A test compares the digest: a bundle older than its sources is a fault.
const banner = `/*! invopt, Apache-2.0; sources sha256 ${digest.digest("hex")}; with uPlot ${version}, MIT */`;

await build({
  entryPoints: ["src/main.js"],
  outfile: "../assets/plan.js",
  bundle: true,
  minify: true,
  format: "iife",
  target: ["chrome103", "firefox113", "safari16.4"],
  charset: "ascii",
  legalComments: "inline",
  banner: { js: banner },
});
await build({
  entryPoints: ["src/plan.css"],
  outfile: "../assets/plan.css",
  bundle: true,
  minify: true,
  banner: { css: banner },
});
writeFileSync(
  "../assets/LICENCES.txt",
  `plan.js and plan.css hold uPlot ${version} (https://github.com/leeoniya/uPlot):\n\n` +
    readFileSync("node_modules/uplot/LICENSE", "utf8"),
);
