// Parts that several views share: the head of a view, a ring's rung, a family's template, lists of rings and of families.
//
// The idea: one finding looks the same wherever it stands. Weakness: a long list shows one line of each template. Guarantee:
// slots are marked as slots, and text between them as text from a log.

import { h, put, shown, link, count, many, decimal, day, LINE, length } from './dom.js';
import { table } from './table.js';
import { spark } from './chart.js';
import { failure, field, withheld } from './dialog.js';
import * as words from './words.js';

// The head of a view: what it is, its name, a line about it, and what can be done.
export const head = (kind, name, lead, ...acts) =>
  h(
    'header',
    { class: 'head' },
    h('div', null, kind && h('p', { class: 'eyebrow' }, kind), h('h1', { tabindex: '-1' }, name), lead && h('p', { class: 'lead' }, lead)),
    h('div', { class: 'acts' }, acts),
  );

export const section = (title, about, ...children) => h('section', null, h('h2', null, title), about && h('p', { class: 'about' }, about), children);

export const print = () => h('button', { type: 'button', class: 'plain noprint', onclick: () => window.print() }, 'Print');

// The rung of a ring as steps of a ladder.
export function ladder(ring) {
  const steps = ['chance', 'provenance', 'second-stream'],
    at = steps.indexOf(ring.rung);
  return h(
    'ol',
    { class: 'ladder', 'aria-label': 'Rung' },
    steps.map((step, i) =>
      h('li', { class: i <= at ? 'done' : null }, words.rung[step][0], h('span', { class: 'hide' }, i <= at ? ' reached' : ' not reached')),
    ),
    h(
      'li',
      { class: ring.disposition ? 'done' : null },
      ring.disposition ? words.say(words.disposition, ring.disposition) : 'No disposition',
      h('span', { class: 'hide' }, ' by an analyst'),
    ),
  );
}

// A button inside a link is none: in a row that is a link the words stand alone.
const hidden = (lines) => (lines ? withheld() : h('em', { class: 'soft' }, 'Text withheld'));

// A form whose fields stand in the address of a list: each change goes there. Fields are those of `field`; a date stands for
// the beginning of its day. Those of `more` are folded away while none of them is used.
export function filters(path, go, query, fields, more, ...buttons) {
  const all = [...fields, ...more],
    valueOf = (one) => (one.kind === 'date' ? (query.get(one.name) ?? '').slice(0, 10) : (query.get(one.name) ?? ''));
  const control = (one) =>
    one.kind === 'check'
      ? h(
          'div',
          { class: 'field check' },
          h('label', null, h('input', { type: 'checkbox', name: one.name, value: 'true', checked: query.get(one.name) === 'true' }), ` ${one.label}`),
        )
      : field({ ...one, value: valueOf(one) });
  const form = h(
    'form',
    {
      class: 'filters',
      onsubmit: (event) => {
        event.preventDefault();
        apply();
      },
      onchange: () => apply(),
    },
    fields.map(control),
    more.length > 0 &&
      h(
        'details',
        { class: 'more', open: more.some((one) => query.get(one.name)) },
        h('summary', null, 'More filters'),
        h('div', { class: 'filters' }, more.map(control)),
      ),
    buttons,
  );
  function apply() {
    const said = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      const one = all.find((other) => other.name === name),
        word = String(value).trim();
      if (word) said.set(name, one?.kind === 'date' ? `${word}T00:00:00Z` : word);
    }
    go(`${path}${said.size ? `?${said}` : ''}`, { keep: true });
  }
  return form;
}

// What a list was asked, as its route takes it in JSON: words, numbers, and true.
export const typed = (query, fields) =>
  Object.fromEntries(
    fields
      .filter((one) => query.get(one.name))
      .map((one) => [one.name, one.kind === 'number' ? Number(query.get(one.name)) : one.kind === 'check' ? true : query.get(one.name)]),
  );

// A template: its text with each slot as a chip, at most `most` characters of it.
export function template(family, { most = LINE, lines = false } = {}) {
  const parts = family.template_parts ?? [{ text: family.template }];
  if (family.template === null || family.template === undefined) return hidden(lines);
  const out = h('span', { class: lines ? 'template lines' : 'template' });
  let left = most,
    cut = 0;
  parts.forEach((part, i) => {
    const full = left <= 0 || i >= 60;
    if (part.slot !== undefined) {
      if (full) return;
      const slot = family.slots?.find((one) => one.slot === part.slot);
      put(
        out,
        h(
          'span',
          { class: `slot s${part.slot % 6}`, title: slot ? `slot ${part.slot}: ${many(slot.distinct_values, 'value', 'values')}` : null },
          h('b', null, part.slot),
          lines && slot && h('em', null, many(slot.distinct_values, 'value', 'values')),
        ),
      );
    } else {
      const n = length(part.text ?? '');
      if (!full) put(out, shown([...part.text.slice(0, 2 * left)].slice(0, left).join(''), { most: left, lines }));
      cut += full ? n : Math.max(0, n - left);
      left -= n;
    }
  });
  const whole = family.template_bytes ?? parts.find((part) => part.text_bytes)?.text_bytes ?? null;
  if (whole !== null || family.template_parts_left_out > 0)
    put(
      out,
      h('span', { class: 'cut' }, whole === null ? ` … ${count(family.template_parts_left_out)} more parts` : ` … cut; it has ${count(whole)} bytes`),
    );
  else if (cut > 0) put(out, h('span', { class: 'cut' }, ` … ${count(cut)} more characters`));
  if (parts.length === 0) put(out, h('em', { class: 'soft' }, 'no text'));
  return out;
}

// A list that the server gives in pages: what `drawn(rows)` makes of the rows that have come, how many those are of `all` (where
// that is known), and a button for the next page. `ask(cursor)` gives { rows, next }.
export function paged({ rows, next, all = null, drawn, ask, say = null }) {
  const holder = h('div', { 'aria-live': 'polite' }),
    come = [...rows];
  let cursor = next ?? null;
  async function more(event) {
    const button = event.target,
      at = come.length;
    button.disabled = true;
    try {
      const page = await ask(cursor);
      come.push(...page.rows);
      cursor = page.next ?? null;
      draw();
      holder.querySelectorAll('tr[data-row]')[at]?.querySelector('a, button')?.focus();
    } catch (cause) {
      button.disabled = false;
      holder.querySelector('.error')?.remove();
      holder.append(failure(cause));
    }
  }
  function draw() {
    holder.replaceChildren(drawn(come));
    const of = all === null ? '' : ` of ${count(all)}`;
    if (say || cursor !== null)
      put(
        holder,
        h(
          'p',
          { class: 'soft' },
          say ? say(come.length) : `${count(come.length)}${of} have come from the server; order and CSV are of these. `,
          ' ',
          cursor !== null && h('button', { type: 'button', class: 'act noprint', onclick: more }, 'Show more'),
        ),
      );
  }
  draw();
  return holder;
}

export const textOf = (family) => family.template ?? (family.template_parts ?? []).map((part) => part.text ?? '⟨slot⟩').join('');

export function families(list, { name, caption, empty, note }) {
  return table({
    name,
    caption,
    empty,
    note,
    rows: list,
    most: list.length,
    key: (f) => f.id,
    columns: [
      { head: 'Template', wide: true, rowhead: true, value: textOf, show: (f) => h('a', { class: 'over', href: `/families/${f.id}` }, template(f)) },
      { head: 'Family', value: (f) => f.id, show: (f) => link(f.id) },
      { head: 'Level', tight: true, value: (f) => f.level, show: (f) => words.say(words.level, f.level) },
      {
        head: 'Per day',
        fixed: true,
        value: (f) => (f.days ?? []).map((d) => `${d.day} ${d.requests}`).join('; '),
        show: (f) => spark((f.days ?? []).slice(-28).map((d) => d.requests)),
      },
      { head: 'Accounts', n: true, value: (f) => f.accounts },
      { head: 'New', n: true, value: (f) => f.new_accounts },
      { head: 'Requests', n: true, value: (f) => f.requests },
      { head: 'Last seen', soft: true, value: (f) => f.last_seen, show: (f) => day(f.last_seen) },
    ],
  });
}

export function rings(list, { name, caption, empty, isNew = () => false }) {
  return table({
    name,
    caption,
    empty,
    rows: list,
    most: list.length,
    columns: [
      { head: 'Ring', rowhead: true, value: (r) => r.id, show: (r) => [link(r.id), isNew(r) && h('span', { class: 'flag' }, 'new')] },
      { head: 'Rung', tight: true, value: (r) => r.rung, show: (r) => words.rung[r.rung]?.[0] ?? r.rung },
      { head: 'Route', tight: true, value: (r) => r.route },
      { head: 'Accounts', n: true, value: (r) => r.accounts },
      { head: 'Families', n: true, value: (r) => (r.families ? r.families.length + (r.families_left_out ?? 0) : null) },
      { head: 'Requests', n: true, value: (r) => r.requests },
      { head: 'Γ*', n: true, value: (r) => r.gamma_star, show: (r) => decimal(r.gamma_star, 0) },
      { head: 'log₁₀ e', n: true, value: (r) => r.log10_e, show: (r) => decimal(r.log10_e) },
      { head: 'Confirmed', soft: true, value: (r) => r.confirmed_night },
      {
        head: 'Disposition',
        value: (r) => r.disposition,
        show: (r) => (r.disposition ? words.say(words.disposition, r.disposition) : h('span', { class: 'soft' }, 'none')),
      },
    ],
  });
}

// What stands behind a list of rings or one ring: null, tests, error; it is printed with every verdict.
export const behind = (meta) =>
  meta &&
  h(
    'div',
    { class: 'behind' },
    meta.valid === false &&
      h(
        'p',
        { class: 'warn' },
        h('b', null, 'This list is not valid. '),
        shown(meta.why, { most: 400 }),
        ' Its findings are shown and raise no alert.',
      ),
    h(
      'dl',
      { class: 'terms' },
      words.behind(meta).map(([term, sentence]) => h('div', null, h('dt', null, term), h('dd', null, sentence))),
    ),
    h('p', { class: 'soft' }, words.NO_GUILT),
  );
