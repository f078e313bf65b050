// @ts-check
// Rows of figures: printed, and written as they are kept in bench/runs/.
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** @typedef {Record<string, number[]>} Figures By name, with a value for each round. */
/** @typedef {{ work: string, contender: string, figures: Figures, targets?: Record<string, unknown>[] }} Row */
/** @typedef {{ name: string, about: string, rows: Row[] }} Section */

/** The ends of the first quarter and the third, and the middle between them. @param {number[]} values */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return [1, 2, 3].map((quarter) => sorted[Math.floor(((sorted.length - 1) * quarter) / 4)] ?? NaN);
}

/** @param {Section} section */
export function print({ about, rows }) {
  console.log(`\n${about}\n`);
  for (const { work, contender, figures, targets = [] } of rows) {
    const cells = Object.entries(figures).map(([name, values]) => {
      const [low, middle, high] = spread(values).map((value) => value.toFixed(3));
      return `${name} ${middle} (${low} to ${high})`;
    });
    const verdicts = targets.map((target) => verdict(target, figures));
    console.log(`  ${work.padEnd(20)} ${contender.padEnd(34)} ${[...cells, ...verdicts].join('  ')}`);
  }
}

/** @param {Record<string, any>} target @param {Figures} figures */
function verdict({ figure, at_least: least = -Infinity, at_most: most = Infinity }, figures) {
  const middle = spread(figures[figure] ?? [])[1] ?? NaN;
  const bound = least === -Infinity ? `≤ ${most}` : `≥ ${least}`;
  return `${figure} ${bound} ${middle >= least && middle <= most ? 'met' : 'MISSED'}`;
}

/** @param {string} path @param {Section[]} sections */
export function write(path, sections) {
  const cores = availableParallelism() === 1 ? 'one core' : `${availableParallelism()} cores`;
  const kept = sections.map(({ name, about, rows }) => ({ name, about, rows: rows.map(inFile) }));
  writeFileSync(path, JSON.stringify({ setting: `Node ${process.versions.node}, ${cores}`, others: null, sections: kept }));
}

/** @param {Row} row */
function inFile({ work, contender, figures, targets = [] }) {
  const values = Object.entries(figures).map(([name, all]) => ({
    name,
    values: spread(all).map((value) => Math.round(value * 10_000) / 10_000),
  }));
  return { work, contender, figures: values, targets };
}
