// Two drawings of a ring: which account used which family, as a graph, and what each stream said day by day.
//
// The idea: accounts stand at the left and families at the right, each beside what it is tied to, so that lines cross as
// little as a simple rule can have it. Weakness: place means nothing else, and both sides are bounded by whoever calls.
// Guarantee: a line is a use that the server gave, a point an e-value of it; nothing is computed but where they stand.

import { s, put, count, decimal } from './dom.js';
import { figure } from './chart.js';

const ROUNDS = 8;

// Puts each of `n` nodes at the mean place of those that it is tied to on the other side, ties in the order they came.
function settle(n, ties, places) {
  const mean = Array.from({ length: n }, (_, i) =>
    ties[i].length ? ties[i].reduce((sum, other) => sum + places[other], 0) / ties[i].length : Infinity,
  );
  const order = [...mean.keys()].sort((a, b) => (mean[a] === mean[b] ? a - b : mean[a] < mean[b] ? -1 : 1)),
    out = new Array(n);
  order.forEach((node, place) => {
    out[node] = place / Math.max(1, n - 1);
  });
  return out;
}

// Nodes are { label, href, title }, edges [left, right] as places in both lists.
export function graph({ title, note, name, left, right, edges }) {
  const toRight = left.map(() => []),
    toLeft = right.map(() => []);
  for (const [a, b] of edges) {
    toRight[a].push(b);
    toLeft[b].push(a);
  }
  let ofLeft = left.map((_, i) => i / Math.max(1, left.length - 1)),
    ofRight = right.map((_, i) => i / Math.max(1, right.length - 1));
  for (let round = 0; round < ROUNDS; round += 1) {
    ofRight = settle(right.length, toLeft, ofLeft);
    ofLeft = settle(left.length, toRight, ofRight);
  }
  return figure({
    title,
    note,
    name,
    links: true,
    label: `${title}: ${count(left.length)} accounts, ${count(right.length)} families, ${count(edges.length)} lines`,
    draw: (width) => {
      const height = 12 + 15 * Math.max(left.length, right.length, 2),
        from = 88,
        to = width - 88,
        y = (place) => 10 + place * (height - 20);
      const lines = edges.map(([a, b]) => s('line', { class: 'tie', x1: from, y1: y(ofLeft[a]), x2: to, y2: y(ofRight[b]) }));
      const light = (at, node, on) => () => edges.forEach((edge, i) => edge[at] === node && lines[i].classList.toggle('lit', on));
      const side = (nodes, places, x, at) =>
        nodes.map((node, i) =>
          s(
            'a',
            { href: node.href, tabindex: '-1', 'aria-hidden': 'true', onmouseenter: light(at, i, true), onmouseleave: light(at, i, false) },
            put(s('circle', { class: 'node', cx: x, cy: y(places[i]), r: 4.5 }), s('title', null, node.title)),
            s(
              'text',
              { class: 'tick id', x: at === 0 ? x - 8 : x + 8, y: y(places[i]) + 4, 'text-anchor': at === 0 ? 'end' : 'start' },
              node.label.slice(0, 12),
            ),
          ),
        );
      return { height, marks: [lines, side(left, ofLeft, from, 0), side(right, ofRight, to, 1)].flat() };
    },
  });
}

// log10 e after each day, a line for each stream: [{ label, points: [[day, value]…] }…]; days are in order. Heights are
// square roots, since one stream of 10⁴⁹ would flatten all others.
const STEPS = [2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000];
const root = (v) => Math.sign(v) * Math.sqrt(Math.abs(v));
export function byDay({ title, note, name, streams, at = Math.log10(20) }) {
  const days = [...new Set(streams.flatMap((one) => one.points.map(([day]) => day)))].sort();
  const asked = streams.filter((one) => one.points.length > 0);
  if (days.length === 0 || asked.length === 0) return null;
  const values = asked.flatMap((one) => one.points.map((point) => point[1])),
    low = root(Math.min(-0.5, ...values)),
    high = root(Math.max(2, ...values));
  return figure({
    title,
    note,
    name,
    label: `${title}: ${asked.map((one) => `${one.label} ${one.points.map(([day, value]) => `${day} ${decimal(value)}`).join(', ')}`).join('; ')}`,
    draw: (width) => {
      const left = 46,
        right = width - 12,
        bottom = 190,
        step = days.length > 1 ? (right - left - 30) / (days.length - 1) : 0;
      const x = (day) => left + 15 + (days.length > 1 ? days.indexOf(day) * step : (right - left) / 2),
        y = (v) => 10 + ((high - root(v)) / (high - low)) * (bottom - 10);
      const marks = [];
      const steps = STEPS.filter((value) => root(value) <= high && root(value) > 1.7);
      for (const value of [0, ...steps.slice(-4)]) {
        marks.push(
          s('line', { class: value === 0 ? 'axis' : 'rule', x1: left, x2: right, y1: y(value), y2: y(value) }),
          s('text', { class: 'tick', x: left - 6, y: y(value) + 4, 'text-anchor': 'end' }, String(value)),
        );
      }
      marks.push(
        s('line', { class: 'limit', x1: left, x2: right, y1: y(at), y2: y(at) }),
        s('text', { class: 'tick', x: left - 6, y: y(at) + 4, 'text-anchor': 'end' }, 'e = 20'),
      );
      const every = Math.ceil(days.length / Math.max(1, Math.floor((right - left) / 74)));
      days.forEach((day, i) => {
        if (i % every === 0) marks.push(s('text', { class: 'tick', x: x(day), y: bottom + 16, 'text-anchor': 'middle' }, day.slice(5)));
      });
      asked.forEach((one, i) => {
        const points = one.points.map(([day, value]) => `${x(day).toFixed(1)},${y(value).toFixed(1)}`);
        marks.push(s('polyline', { class: `line k${i % 6}`, points: points.join(' '), 'stroke-dasharray': i >= 6 ? '4 3' : 'none' }));
        one.points.forEach(([day, value]) =>
          marks.push(
            put(
              s('circle', { class: `dot k${i % 6}`, cx: x(day), cy: y(value), r: 3 }),
              s('title', null, `${one.label}, ${day}: ${decimal(value, 2)}`),
            ),
          ),
        );
      });
      const columns = width < 560 ? 1 : 2;
      asked.forEach((one, i) => {
        const lx = left + (i % columns) * ((right - left) / columns),
          ly = bottom + 38 + 17 * Math.floor(i / columns);
        marks.push(
          s('line', { class: `line k${i % 6}`, x1: lx, x2: lx + 16, y1: ly - 4, y2: ly - 4, 'stroke-dasharray': i >= 6 ? '4 3' : 'none' }),
          s('text', { class: 'tick strong', x: lx + 22, y: ly }, `${one.label}, ${decimal(one.points.at(-1)[1])}`),
        );
      });
      return { height: bottom + 44 + 17 * Math.ceil(asked.length / columns), marks };
    },
  });
}
