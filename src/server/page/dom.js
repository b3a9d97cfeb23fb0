// Makes nodes, and shows text that a stranger wrote.
//
// The idea: nothing on the page is ever parsed from a string. `h` makes an element and sets text, so a prompt can be
// markup and still be read as a prompt; `shown` puts text from a log into an isolated run of characters, where what cannot
// be seen stands as its number, marks that pile up are counted, and what is long is cut with its length said.
// Weakness: a glyph may still be wide or tall; the style sheet clips it. Guarantee: no attribute that runs or fetches
// anything can be set here, and a link leads to this page only.

const SVG = 'http://www.w3.org/2000/svg';
const NEVER = /^(style|srcdoc|src|srcset|formaction|action|on.*)$/i;

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function' && name.startsWith('on')) {
      node.addEventListener(name.slice(2), value);
      continue;
    }
    if (NEVER.test(name)) throw new Error(`attribute ${name} is never set from here`);
    if (name === 'href' && !/^(\/(?![/\\])|#|blob:)/.test(String(value))) throw new Error('a link leads to this page only');
    node.setAttribute(name, value === true ? '' : String(value));
  }
  put(node, children);
  return node;
}

// Appends words of ours, numbers, nodes and lists of them; nothing where a child is null or false.
export function put(node, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === '') continue;
    node.append(child instanceof Node ? child : String(child));
  }
  return node;
}

export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

// Characters of a line, of a paragraph, and of the longest text that is laid out at all.
export const LINE = 160;
export const PARAGRAPH = 1200;
export const PAGE = 20000;
// Combining marks on one character before the rest is counted; as in the report.
const MOST_MARKS = 4;
const MARK = /^[\p{Mn}\p{Me}]$/u;
const HIDDEN =
  /^[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\u{e0000}-\u{e0fff}\ufdd0-\ufdef]$/u;

function hidden(c, before) {
  if (c === '\n' || c === '\t') return false;
  // Joiners and selectors belong to the spelling of Persian, of Indic scripts and of emoji; after an ASCII character, or
  // after one another, they have nothing to do.
  if (/^[\u200c\u200d\ufe00-\ufe0f]$/.test(c)) return before < '\x80' || /^[\u200c\u200d\ufe00-\ufe0f]$/.test(before);
  return HIDDEN.test(c) || (c.codePointAt(0) & 0xfffe) === 0xfffe;
}

// Code points of a text.
export function length(text) {
  let n = 0;
  for (const _ of text) n += 1;
  return n;
}

// Calls `plain` with runs of ordinary characters and `apart` with what stands for others. Returns the code points read.
function walk(text, most, plain, apart) {
  let run = '',
    marks = 0,
    before = ' ',
    n = 0;
  const flush = () => {
    if (run) plain(run);
    run = '';
  };
  const counted = () => {
    if (marks > MOST_MARKS) {
      flush();
      apart(`+${marks - MOST_MARKS} marks`);
    }
    marks = 0;
  };
  for (const c of text) {
    if (n >= most) break;
    n += 1;
    const unseen = hidden(c, before);
    if (!unseen && MARK.test(c)) {
      marks += 1;
      if (marks <= MOST_MARKS) run += c;
    } else {
      counted();
      if (unseen) {
        flush();
        apart(`\\u{${c.codePointAt(0).toString(16)}}`);
      } else run += c;
    }
    before = c;
  }
  counted();
  flush();
  return n;
}

// Text from a log as an isolated run: `most` characters of it, and how many there are where it was cut. `bytes` is its whole
// length where the server had cut it before. `spans` marks parts of it, [[from, to, class]…] in characters, in order.
export function shown(text, { most = LINE, lines = false, spans = [], bytes = null } = {}) {
  const out = h('bdi', { class: lines ? 'log lines' : 'log' });
  if (text === null || text === undefined) return put(out, h('em', { class: 'soft' }, 'withheld'));
  text = String(text);
  const clean = (run) => (lines ? run : run.replace(/\s+/g, ' '));
  const part = (piece, room, into) =>
    walk(
      piece,
      room,
      (run) => put(into, clean(run)),
      (mark) => put(into, h('i', null, mark)),
    );
  let read = 0;
  if (spans.length === 0) {
    read = part(text, most, out);
  } else {
    const points = [];
    for (const c of text) {
      if (points.length >= most) break;
      points.push(c);
    }
    let at = 0;
    for (const [from, to, kind] of spans) {
      if (from < at || from >= points.length) continue;
      part(points.slice(at, from).join(''), most, out);
      const mark = h('mark', kind ? { class: kind } : null);
      part(points.slice(from, to).join(''), most, mark);
      put(out, mark);
      at = Math.min(to, points.length);
    }
    part(points.slice(at).join(''), most, out);
    read = points.length;
  }
  const all = length(text);
  if (typeof bytes === 'number') put(out, h('span', { class: 'cut' }, ` … cut: ${count(Math.min(read, all))} characters of ${count(bytes)} bytes`));
  else if (all > read) put(out, h('span', { class: 'cut' }, ` … cut: ${count(read)} of ${count(all)} characters`));
  return out;
}

// The same for a place that takes characters only: a title, a label of a chart.
export function plain(text, most = 60) {
  let out = '';
  const read = walk(
    String(text ?? ''),
    most,
    (run) => {
      out += run.replace(/\s+/g, ' ');
    },
    (mark) => {
      out += `⟨${mark}⟩`;
    },
  );
  return read < length(String(text ?? '')) ? `${out}…` : out;
}

// 20000 → 20 000, with a space that does not break.
export const count = (n) => (n === null || n === undefined ? '–' : String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, '\u202f'));
export const many = (n, one, more) => `${count(n)} ${Number(n) === 1 ? one : more}`;
// A decimal number of our own, with a minus sign.
export const decimal = (x, places = 1) =>
  x === null || x === undefined
    ? '–'
    : Number(x)
        .toFixed(places)
        .replace('-', '−')
        .replace(/^−(0(\.0*)?)$/, '$1');
export const percent = (x, places = 0) => (x === null || x === undefined ? '–' : `${(100 * x).toFixed(places)}%`);
// 2025-03-04T01:23:26.01499Z → 2025-03-04 01:23:26; all times are UTC.
export const moment = (time) => (time ? String(time).slice(0, 19).replace('T', ' ') : '–');
export const day = (time) => (time ? String(time).slice(0, 10) : '–');

export const span = (from, to) => (day(from) === day(to) ? day(from) : `${day(from)} – ${day(to)}`);

// A link to a view by the name of what it shows. Names that are not ours in form are shown as text.
const PLACE = { a: '/accounts/', r: '/rings/', n: '/families/', x: '/families/', f: '/families/', s: '/families/' };
export function link(id, { kind, more } = {}) {
  const name = String(id ?? '');
  if (!/^[a-z][0-9a-f]{8,32}$/.test(name)) return shown(name, { most: 40 });
  return h('a', { class: 'id', href: `${kind ?? PLACE[name[0]] ?? '/'}${name}`, title: more ?? null }, name);
}

// Offers `text` as a file.
export function download(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const a = h('a', { href: url, download: name });
  document.body.append(a);
  a.click();
  a.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
