// Who used which of a ring's families when: members against families, a timeline, and a graph, all of one list of uses.
//
// The idea: the same uses are shown three ways, since a class, an app and a work queue differ in only one of them each.
// Weakness: each drawing is bounded, and says how much it leaves out. Guarantee: the order of rows is the only thing that is
// made here, and it is for the eye alone.

import { h, count, many, percent, moment } from './dom.js';
import { matrix, timeline } from './chart.js';
import { graph } from './graph.js';
import { field } from './dialog.js';
import { kept, keep } from './address.js';

// Members and families of the matrix, families of the timeline, nodes of a side of the graph.
const MOST = 60;
const TIMED = 24;
const TIED = 24;
const DAY = 86400000;

const dayOf = (time) => new Date(time).toISOString().slice(0, 10);
const byDay = (a, b) => (a.day < b.day ? -1 : a.day > b.day ? 1 : 0);

// `moments` are [member, family, first, last, requests], places in both lists and microseconds.
function usesOf(ring, members, moments) {
  return moments
    .map(([member, family, first, , requests]) => ({
      account: members[member]?.account,
      family: ring.families[family]?.family_id,
      time: first / 1000,
      requests,
    }))
    .filter((use) => use.account && use.family);
}

function who(ring, [members, inAll], uses) {
  const columns = ring.families.slice(0, MOST).sort(byDay);
  const onDay = new Set(uses.map((use) => `${use.account} ${use.family} ${dayOf(use.time)}`)),
    ever = new Set(uses.map((use) => `${use.account} ${use.family}`));
  const n = new Map();
  for (const { account } of members)
    n.set(
      account,
      columns.flatMap((column, i) => (ever.has(`${account} ${column.family_id}`) ? [i] : [])),
    );
  const used = (id) => n.get(id).length;
  const earliest = (id) => (used(id) ? n.get(id)[0] : Infinity);
  const middle = (id) => (used(id) ? n.get(id).reduce((a, b) => a + b, 0) / used(id) : Infinity);
  const orders = {
    membership: ['as listed, likeliest first', null],
    first: ['earliest family first', (a, b) => earliest(a.account) - earliest(b.account)],
    most: ['most families first', (a, b) => used(b.account) - used(a.account)],
    alike: ['accounts with like families together', (a, b) => middle(a.account) - middle(b.account)],
  };
  const shownMembers = members.slice(0, MOST),
    chosenOrder = Object.hasOwn(orders, kept('order') ?? '') ? kept('order') : 'membership';
  const rows = (order) =>
    (orders[order][1] ? [...shownMembers].sort(orders[order][1]) : shownMembers).map((m) => ({
      account: m.account,
      label: m.account.slice(0, 12),
      href: `/accounts/${m.account}`,
      title: `${m.account}, membership ${percent(m.membership, 1)}`,
      faint: m.listed === false,
    }));
  const drawing = h('div');
  const control = field({
    name: 'order',
    label: 'Order of the accounts',
    kind: 'select',
    value: chosenOrder,
    options: Object.entries(orders).map(([key, [text]]) => [key, text]),
  });
  const draw = (order) =>
    drawing.replaceChildren(
      matrix({
        title: 'Who used which family',
        name: `${ring.id}-members-families`,
        rows: rows(order),
        note: `${count(shownMembers.length)} of ${many(inAll, 'account', 'accounts')} by ${count(columns.length)} of ${many(ring.families.length, 'family', 'families')}; days from the left; pale: on another day`,
        columns: columns.map((c) => ({
          id: c.family_id,
          day: c.day,
          href: `/families/${c.family_id}`,
          title: `${c.family_id}, ${c.day}, ${c.accounts} of ${c.of} accounts`,
        })),
        has: (row, column) =>
          onDay.has(`${row.account} ${column.id} ${column.day}`) ? 'bar' : ever.has(`${row.account} ${column.id}`) ? 'faint' : null,
      }),
    );
  control.addEventListener('change', (event) => {
    keep('order', event.target.value === 'membership' ? null : event.target.value);
    draw(event.target.value);
  });
  draw(chosenOrder);
  return [h('div', { class: 'filters noprint' }, control), drawing];
}

function when(ring, uses) {
  const families = [...new Map(ring.families.map((f) => [f.family_id, f])).values()];
  const rows = families
    .slice(0, TIMED)
    .map((f) => ({
      label: f.family_id,
      href: `/families/${f.family_id}`,
      marks: uses
        .filter((use) => use.family === f.family_id)
        .map((use) => ({ time: use.time, title: `${use.account} · ${moment(new Date(use.time).toISOString())}` })),
    }))
    .filter((row) => row.marks.length > 0)
    .sort((a, b) => a.marks[0].time - b.marks[0].time);
  if (rows.length === 0) return null;
  const times = rows.flatMap((row) => row.marks.map((mark) => mark.time)),
    least = times.reduce((a, b) => Math.min(a, b)),
    most = times.reduce((a, b) => Math.max(a, b));
  return timeline({
    title: 'When its accounts used each family',
    name: `${ring.id}-uses`,
    rows,
    from: Math.floor(least / DAY) * DAY,
    to: (Math.floor(most / DAY) + 1) * DAY,
    note: `${count(rows.length)} of ${many(families.length, 'family', 'families')}, a tick for an account’s first request of a day; UTC`,
  });
}

// The accounts and the families of most uses, and a line for each use among them.
function ties(ring, inAll, uses) {
  const pairs = [...new Map(uses.map((use) => [`${use.account} ${use.family}`, use])).values()];
  const busiest = (of) => {
    const n = new Map();
    for (const pair of pairs) n.set(pair[of], (n.get(pair[of]) ?? 0) + 1);
    return [...n].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, TIED);
  };
  const accounts = busiest('account'),
    families = busiest('family');
  const left = new Map(accounts.map(([id], i) => [id, i])),
    right = new Map(families.map(([id], i) => [id, i]));
  const edges = pairs
    .filter((pair) => left.has(pair.account) && right.has(pair.family))
    .map((pair) => [left.get(pair.account), right.get(pair.family)]);
  return graph({
    title: 'Accounts and the families that they share',
    name: `${ring.id}-graph`,
    note: `the busiest ${count(accounts.length)} of ${many(inAll, 'account', 'accounts')} and ${count(families.length)} of ${many(new Set(ring.families.map((f) => f.family_id)).size, 'family', 'families')}; ${count(edges.length)} of ${many(pairs.length, 'line', 'lines')}; height says nothing`,
    left: accounts.map(([id, n]) => ({ label: id, href: `/accounts/${id}`, title: `${id}, ${many(n, 'family', 'families')}` })),
    right: families.map(([id, n]) => ({ label: id, href: `/families/${id}`, title: `${id}, ${many(n, 'account', 'accounts')}` })),
    edges,
  });
}

// All three; null where there are no uses. `inAll` says how many members the ring has, of whom the first are given.
export function drawings(ring, [members, inAll], moments, leftOut) {
  const uses = usesOf(ring, members, moments);
  if (uses.length === 0) return null;
  return [
    leftOut > 0 &&
      h(
        'p',
        { class: 'soft' },
        `${many(leftOut, 'use is', 'uses are')} left out: those shown are of the likeliest members in the families of most accounts.`,
      ),
    who(ring, [members, inAll], uses),
    when(ring, uses),
    ties(ring, inAll, uses),
  ];
}
