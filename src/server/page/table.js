// Tables: sortable, as CSV, and walked with j and k.
//
// The idea: a column says how it is shown and which value it has; sorting and the file use the value, never the text on
// the screen. Weakness: sorting is of the rows that the page has, which is said where there are more. Guarantee: a cell of
// the file is never taken for a formula by a spreadsheet.

import { h, put, count, download } from './dom.js';
import { order as keptOrder, reorder, chosen } from './address.js';

// A cell of a CSV file, as the program's own exports write it: on one line, without controls, and never a formula. A cell
// that would start one (after white space, or after a semicolon where that parts cells) gets an apostrophe before it.
export function cell(value) {
  if (typeof value === 'number') return String(value);
  let out = '',
    starts = true;
  for (const c of String(value ?? '').replace(/\r\n|[\r\n]/g, '⏎')) {
    if (starts && /^[=+\-@|%＝＋－＠]$/.test(c)) out += "'";
    starts = c === ';' || (starts && /^[\s⏎"]$/.test(c));
    out += /^[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]$/u.test(c) ? `\\u{${c.codePointAt(0).toString(16)}}` : c;
  }
  return /[",]/.test(out) ? `"${out.replaceAll('"', '""')}"` : out;
}

export const csv = (columns, rows) =>
  [columns.map((column) => cell(column.head)), ...rows.map((row) => columns.map((column) => cell(column.value(row))))]
    .map((line) => line.join(','))
    .join('\r\n') + '\r\n';

// A table with a caption. Columns: `head`, `value(row)`, and where that is not what is shown `show(row)`; `n` for numbers,
// `wide` for what takes the room. Order and chosen row stand in the address: a row is named by `key(row)`, or by its place.
export function table({ name, caption, columns, rows, empty = 'Nothing is listed.', most = 100, note = null, key = null }) {
  if (rows.length === 0) return h('p', { class: 'empty' }, empty);
  // The table's name without the family, ring or account that it is of.
  const short = String(name ?? caption)
    .replace(/^[a-z][0-9a-f]{8,32}-/, '')
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-');
  const head = columns.find((column) => column.rowhead),
    places = new Map(rows.map((row, i) => [row, i]));
  const keyOf = (row) => {
    const found = String((key ?? head?.value)?.(row) ?? '');
    return `${short}/${/^[A-Za-z0-9_.:-]{1,80}$/.test(found) ? found : places.get(row)}`;
  };
  let order = keptOrder(short),
    all = false;
  if (order && (order.at >= columns.length || columns[order.at].fixed)) order = null;
  const body = h('tbody');
  const heads = columns.map((column, i) =>
    h(
      'th',
      { scope: 'col', class: [column.n && 'n', column.wide && 'wide'].filter(Boolean).join(' ') || null },
      column.fixed ? column.head : h('button', { type: 'button', class: 'sort', onclick: () => sort(i) }, column.head),
    ),
  );
  const foot = h('p', { class: 'foot' });
  const arranged = () => {
    if (!order) return rows;
    const { at, up } = order,
      value = columns[at].value;
    const key = (row) => {
      const v = value(row);
      return v === null || v === undefined ? -Infinity : v;
    };
    return rows
      .map((row, i) => [key(row), i, row])
      .sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0) * (up ? 1 : -1) || a[1] - b[1])
      .map((entry) => entry[2]);
  };
  function draw() {
    body.replaceChildren(
      ...arranged()
        .slice(0, all ? rows.length : most)
        .map((row) =>
          h(
            'tr',
            { 'data-row': keyOf(row) },
            columns.map((column) =>
              h(
                column.rowhead ? 'th' : 'td',
                {
                  scope: column.rowhead ? 'row' : null,
                  class:
                    [column.n && 'n', column.wide && 'wide', column.soft && 'soft', column.tight && 'tight', column.links && 'links']
                      .filter(Boolean)
                      .join(' ') || null,
                },
                column.show ? column.show(row) : column.n ? count(column.value(row)) : column.value(row),
              ),
            ),
          ),
        ),
    );
    heads.forEach((head, i) => {
      order?.at === i ? head.setAttribute('aria-sort', order.up ? 'ascending' : 'descending') : head.removeAttribute('aria-sort');
    });
    foot.replaceChildren();
    put(
      foot,
      note && h('span', null, `${note} `),
      !all &&
        rows.length > most && [
          `The first ${count(most)} of ${count(rows.length)} rows. `,
          h(
            'button',
            {
              type: 'button',
              class: 'plain',
              onclick: () => {
                all = true;
                draw();
              },
            },
            'Show all',
          ),
        ],
    );
  }
  function sort(at) {
    order = order?.at === at ? { at, up: !order.up } : { at, up: !columns[at].n };
    reorder(short, order);
    draw();
  }
  const wanted = chosen();
  if (wanted.startsWith(`${short}/`)) all = arranged().findIndex((row) => keyOf(row) === wanted) >= most;
  draw();
  return h(
    'div',
    { class: 'table' },
    h(
      'div',
      { class: 'scroll', role: 'region', tabindex: '0', 'aria-label': caption },
      h('table', null, h('caption', { class: 'hide' }, caption), h('thead', null, h('tr', null, heads)), body),
    ),
    h(
      'div',
      { class: 'under' },
      foot,
      name &&
        h(
          'button',
          { type: 'button', class: 'plain save', onclick: () => download(`${name}.csv`, 'text/csv;charset=utf-8', csv(columns, arranged())) },
          'CSV',
        ),
    ),
  );
}

// A list of terms: [[name, value]…]; what is null is left out.
export const facts = (pairs, kind = 'facts') =>
  h(
    'dl',
    { class: kind },
    pairs
      .filter((pair) => pair && pair[1] !== null && pair[1] !== undefined)
      .map(([term, value, note]) => h('div', null, h('dt', null, term, note && h('small', null, note)), h('dd', null, value))),
  );
