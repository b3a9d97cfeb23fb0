// Charts: bars, a histogram, evidence by stream, who used what, and when. Plain SVG, drawn at the width that there is.
//
// The idea: each chart is a function from a width to marks, drawn again when the width changes, so letters keep their size
// on a phone; colours are classes, and a saved file carries them as attributes. Weakness: every mark is a node, so callers
// bound how many there are. Guarantee: what a chart shows is said in words for whoever cannot see it, and nothing here
// computes a statistic: numbers come in as the server gave them.

import { h, s, put, count, decimal, download } from './dom.js';

const STYLES = [
  'fill',
  'stroke',
  'stroke-width',
  'stroke-opacity',
  'font-family',
  'font-size',
  'font-weight',
  'text-anchor',
  'opacity',
  'stroke-dasharray',
];

// The chart as a text that needs no style sheet, and its size.
function alone(svg) {
  const copy = svg.cloneNode(true);
  const from = [svg, ...svg.querySelectorAll('*')],
    to = [copy, ...copy.querySelectorAll('*')];
  from.forEach((node, i) => {
    const style = getComputedStyle(node);
    for (const property of STYLES) to[i].setAttribute(property, style.getPropertyValue(property));
    to[i].removeAttribute('class');
    if (to[i].tagName === 'a') {
      to[i].removeAttribute('href');
      to[i].removeAttribute('tabindex');
    }
  });
  const box = svg.viewBox.baseVal;
  const paper = s('rect', { x: 0, y: 0, width: box.width, height: box.height, fill: getComputedStyle(document.body).backgroundColor });
  copy.insertBefore(paper, copy.firstChild);
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  return { text: new XMLSerializer().serializeToString(copy), width: box.width, height: box.height };
}

// The same as a picture, three points to a unit, for whatever reads no SVG.
async function picture({ text, width, height }, name) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = h('canvas', { width: 3 * width, height: 3 * height });
  canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
  canvas.toBlob((blob) => blob && download(`${name}.png`, 'image/png', blob), 'image/png');
}

// A figure: a title, a note at its right, the drawing, and the file. `draw(width)` gives { height, marks }; `links` says that
// marks are links, which a picture may not hold.
export function figure({ title, note, label, name, draw, least = 0, links = false }) {
  const holder = h('div', {
    class: least ? 'drawing scroll' : 'drawing',
    tabindex: least ? '0' : null,
    role: least ? 'region' : null,
    'aria-label': least ? title : null,
  });
  let drawn = 0;
  const redraw = () => {
    const width = Math.max(least, Math.floor(holder.clientWidth));
    if (width === 0 || width === drawn) return;
    drawn = width;
    const { height, marks } = draw(width);
    holder.replaceChildren(
      s('svg', { viewBox: `0 0 ${width} ${height}`, width, height, role: links ? 'group' : 'img', 'aria-label': label ?? title }, marks),
    );
  };
  new ResizeObserver(redraw).observe(holder);
  const out = h(
    'figure',
    null,
    h('figcaption', null, h('b', null, title), note && h('span', null, note)),
    holder,
    h(
      'div',
      { class: 'under' },
      h('span'),
      name &&
        h(
          'span',
          { class: 'save' },
          h(
            'button',
            {
              type: 'button',
              class: 'plain',
              onclick: () => download(`${name}.svg`, 'image/svg+xml', alone(holder.querySelector('svg')).text),
            },
            'SVG',
          ),
          ' ',
          h('button', { type: 'button', class: 'plain', onclick: () => picture(alone(holder.querySelector('svg')), name) }, 'PNG'),
        ),
    ),
  );
  out.again = () => {
    drawn = 0;
    redraw();
  };
  return out;
}

const text = (x, y, words, attributes) => s('text', { x, y, ...attributes }, words);

// Bars for a few values in order: [{ label, value, part }…]; the strong part of a bar is `part`, where given.
export function bars({ title, note, values, name, height = 96, unit = '' }) {
  const most = Math.max(1, ...values.map((v) => v.value));
  const label = `${title}: ${values
    .map((v) => `${v.label} ${count(v.value)}`)
    .slice(-31)
    .join(', ')}${unit}`;
  return figure({
    title,
    note,
    label,
    name,
    draw: (width) => {
      const top = 14,
        base = height - 18,
        step = width / values.length,
        wide = Math.min(44, Math.max(1, step * 0.72));
      const marks = [s('line', { class: 'rule', x1: 0, x2: width, y1: base + 0.5, y2: base + 0.5 })];
      const every = Math.ceil(values.length / Math.max(1, Math.floor(width / 74)));
      values.forEach((v, i) => {
        const x = i * step + (step - wide) / 2,
          tall = ((base - top) * v.value) / most;
        const whole = s('rect', { class: v.part === undefined ? 'bar' : 'faint', x, y: base - tall, width: wide, height: tall });
        put(whole, s('title', null, `${v.label}: ${count(v.value)}${v.part === undefined ? '' : `, of these ${count(v.part)} new`}`));
        marks.push(whole);
        if (v.part !== undefined) {
          const strong = ((base - top) * v.part) / most;
          marks.push(s('rect', { class: 'bar', x, y: base - strong, width: wide, height: strong }));
        }
        if (step >= 34) marks.push(text(i * step + step / 2, base - tall - 4, count(v.value), { class: 'tick', 'text-anchor': 'middle' }));
        if (i % every === 0) {
          const edge = every > 1 && i * step + step / 2 < 30 ? 'start' : 'middle';
          marks.push(text(edge === 'start' ? 0 : i * step + step / 2, height - 4, v.label, { class: 'tick', 'text-anchor': edge }));
        }
      });
      return { height, marks };
    },
  });
}

// How similarities lie between `from` and `to`: values in equal classes, with the place of a mark.
export function histogram({ title, note, values, from, to, classes = 20, name }) {
  const counts = new Array(classes).fill(0);
  values.forEach((v) => {
    counts[Math.min(classes - 1, Math.max(0, Math.floor(((v - from) / (to - from)) * classes)))] += 1;
  });
  const most = Math.max(1, ...counts);
  const filled = counts.map((n, i) => (n ? `${n} at ${decimal(from + (i * (to - from)) / classes, 2)}` : null)).filter(Boolean);
  return figure({
    title,
    note,
    name,
    label: `${title}: ${filled.join(', ')}`,
    draw: (width) => {
      const height = 92,
        top = 14,
        base = height - 18,
        step = width / classes;
      const marks = [s('line', { class: 'rule', x1: 0, x2: width, y1: base + 0.5, y2: base + 0.5 })];
      counts.forEach((n, i) => {
        const tall = ((base - top) * n) / most;
        if (n) {
          marks.push(
            put(
              s('rect', { class: 'bar', x: i * step + 1, y: base - tall, width: step - 2, height: tall }),
              s('title', null, `${n} from ${decimal(from + (i * (to - from)) / classes, 2)}`),
            ),
          );
          if (step > 18) marks.push(text(i * step + step / 2, base - tall - 4, count(n), { class: 'tick', 'text-anchor': 'middle' }));
        }
      });
      [0, 0.25, 0.5, 0.75, 1].forEach((part) =>
        marks.push(
          text(width * part, height - 4, decimal(from + part * (to - from), 2), {
            class: 'tick',
            'text-anchor': part === 0 ? 'start' : part === 1 ? 'end' : 'middle',
          }),
        ),
      );
      return { height, marks };
    },
  });
}

// Evidence of each stream as log10 e, with the mark from which a stream counts. The scale ends at six, so that small values
// can be told apart; a bar that goes on is broken, and its number stands beside it.
const SCALE = 6;
export function evidence({ title, note, values, name, at = Math.log10(20) }) {
  const asked = values.filter((v) => v.value !== null && v.value !== undefined);
  const low = Math.max(-SCALE, Math.min(-0.5, ...asked.map((v) => v.value)));
  return figure({
    title,
    note,
    name,
    label: `${title}: ${values.map((v) => `${v.label} ${v.value === null || v.value === undefined ? 'not asked' : decimal(v.value)}`).join(', ')}`,
    draw: (width) => {
      const left = Math.min(150, width * 0.38),
        right = width - 46,
        row = 24,
        height = values.length * row + 22,
        bottom = height - 18;
      const x = (v) => left + ((Math.max(low, Math.min(SCALE, v)) - low) / (SCALE - low)) * (right - left);
      const marks = [
        s('line', { class: 'axis', x1: x(0), x2: x(0), y1: 0, y2: bottom }),
        s('line', { class: 'limit', x1: x(at), x2: x(at), y1: 0, y2: bottom }),
      ];
      values.forEach((v, i) => {
        const y = i * row;
        marks.push(text(0, y + 16, v.label, { class: 'tick strong' }));
        if (v.value === null || v.value === undefined) {
          marks.push(text(x(0) + 6, y + 16, 'not asked', { class: 'tick' }));
          return;
        }
        const [from, to] = v.value < 0 ? [x(v.value), x(0)] : [x(0), x(v.value)];
        marks.push(s('rect', { class: v.value >= at ? 'bar' : 'faint', x: from, y: y + 5, width: Math.max(1, to - from), height: 14 }));
        if (v.value > SCALE) marks.push(s('path', { class: 'gap', d: `M${to - 16} ${y + 21}l5 -18h4l-5 18z` }));
        marks.push(text(width, y + 16, decimal(v.value), { class: 'tick strong', 'text-anchor': 'end' }));
      });
      marks.push(
        text(x(0), height - 4, '0', { class: 'tick', 'text-anchor': 'middle' }),
        text(x(at), height - 4, 'e = 20', { class: 'tick', 'text-anchor': 'middle' }),
        text(x(SCALE), height - 4, '6', { class: 'tick', 'text-anchor': 'middle' }),
      );
      return { height, marks };
    },
  });
}

// Who used what: a row an account, a column a family, columns of one day together. `has` gives the class of a mark, or null.
export function matrix({ title, note, name, rows, columns, has }) {
  const cell = 11,
    left = 92,
    days = [];
  columns.forEach((column, i) => {
    if (days.at(-1)?.day === column.day) days.at(-1).to = i;
    else days.push({ day: column.day, from: i, to: i });
  });
  const gap = 6,
    dayOf = new Map();
  days.forEach((d, n) => {
    for (let i = d.from; i <= d.to; i += 1) dayOf.set(i, n);
  });
  const x = (i) => left + i * cell + dayOf.get(i) * gap;
  const least = x(columns.length - 1) + cell + 10;
  return figure({
    title,
    note,
    name,
    least,
    links: true,
    label: `${title}: ${rows.length} accounts by ${columns.length} families`,
    draw: () => {
      const top = 30,
        height = top + rows.length * cell + 6,
        marks = [];
      days.forEach((d) => {
        if (d.day && (d.to - d.from) * cell > 40) marks.push(text(x(d.from), 11, d.day, { class: 'tick' }));
        marks.push(s('line', { class: 'axis', x1: x(d.from), x2: x(d.to) + cell - 1, y1: 16.5, y2: 16.5 }));
      });
      columns.forEach((column, i) =>
        marks.push(
          put(
            s(
              'a',
              { href: column.href, tabindex: '-1', 'aria-hidden': 'true' },
              s('rect', { class: 'head', x: x(i), y: 19, width: cell - 1, height: 7 }),
            ),
            s('title', null, column.title),
          ),
        ),
      );
      rows.forEach((row, j) => {
        const y = top + j * cell;
        marks.push(
          s(
            'a',
            { href: row.href, tabindex: '-1', 'aria-hidden': 'true' },
            put(text(0, y + 9, row.label, { class: row.faint ? 'tick id' : 'tick id strong' }), s('title', null, row.title)),
          ),
        );
        columns.forEach((column, i) => {
          const use = has(row, column);
          marks.push(
            put(
              s('rect', { class: use || 'blank', x: x(i), y, width: cell - 1, height: cell - 1 }),
              use && s('title', null, `${row.title} · ${column.title}`),
            ),
          );
        });
      });
      return { height, marks };
    },
  });
}

// When: a line for each row, a tick for each moment, between two days.
export function timeline({ title, note, name, rows, from, to }) {
  const span = Math.max(1, to - from),
    dayLength = 86400000;
  return figure({
    title,
    note,
    name,
    links: true,
    label: `${title}: ${rows.length} families, ${count(rows.reduce((n, row) => n + row.marks.length, 0))} uses`,
    draw: (width) => {
      const left = width < 560 ? 0 : 150,
        row = width < 560 ? 30 : 18,
        top = 18,
        height = top + rows.length * row + 4,
        marks = [];
      const x = (time) => left + ((time - from) / span) * (width - left - 2);
      for (let t = from; t < to; t += dayLength) {
        marks.push(s('line', { class: 'rule', x1: x(t), x2: x(t), y1: 14, y2: height }));
        if ((width - left) / (span / dayLength) > 62) marks.push(text(x(t) + 3, 11, new Date(t).toISOString().slice(5, 10), { class: 'tick' }));
      }
      rows.forEach((r, j) => {
        const y = top + j * row;
        marks.push(
          s('a', { href: r.href, tabindex: '-1', 'aria-hidden': 'true' }, text(left ? 0 : 2, y + (left ? 12 : 11), r.label, { class: 'tick id' })),
        );
        const middle = y + (left ? 2 : 15);
        marks.push(s('line', { class: 'rule', x1: left, x2: width, y1: middle + 13.5, y2: middle + 13.5 }));
        r.marks.forEach((mark) =>
          marks.push(put(s('rect', { class: 'tickmark', x: x(mark.time) - 0.75, y: middle, width: 1.5, height: 12 }), s('title', null, mark.title))),
        );
      });
      return { height, marks };
    },
  });
}

// A small row of bars for a table: no words, since the numbers stand beside it.
export function spark(values, width = 84, height = 20) {
  const most = Math.max(1, ...values),
    step = width / Math.max(values.length, 5);
  return s(
    'svg',
    { class: 'spark', viewBox: `0 0 ${width} ${height}`, width, height, 'aria-hidden': 'true' },
    values.map((v, i) =>
      s('rect', { class: 'bar', x: i * step + 0.5, y: height - (height * v) / most, width: Math.max(1, step - 1.5), height: (height * v) / most }),
    ),
  );
}
