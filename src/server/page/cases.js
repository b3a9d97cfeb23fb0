// Cases: what analysts concluded and noted, ring by ring, and the history of both.
//
// The idea: a case is a ring that somebody looks into; its history is what was said of it in order of time. Weakness: no
// queue and no deadline, which other systems do better. Guarantee: every line names who wrote it and when.

import { h, shown, link, count, many, decimal, moment } from './dom.js';
import { every, me, may } from './api.js';
import { table, facts } from './table.js';
import { field } from './dialog.js';
import { list as questions } from './saved.js';
import { head, section, print } from './parts.js';
import * as words from './words.js';

const WHOSE = { '': 'anybody’s', mine: 'mine', nobodys: 'nobody’s' };

export async function view({ query, signal, go, again }) {
  const whose = Object.hasOwn(WHOSE, query.get('whose') ?? '') ? (query.get('whose') ?? '') : '';
  const [all, kept] = await Promise.all([every('/rings', 'rings', { limit: 200 }, signal), may('save') ? questions(signal, again) : null]);
  const rings = all.filter((ring) => whose === '' || (whose === 'mine' ? ring.assignee === me.name : !ring.assignee));
  const open = rings.filter((ring) => !ring.disposition),
    judged = rings.filter((ring) => ring.disposition);
  const history = rings.flatMap((ring) => (ring.notes ?? []).map((note) => ({ ...note, ring: ring.id }))).sort((a, b) => (a.time < b.time ? 1 : -1));
  const columns = [
    { head: 'Ring', rowhead: true, value: (r) => r.id, show: (r) => link(r.id) },
    { head: 'Rung', value: (r) => r.rung, show: (r) => words.rung[r.rung]?.[0] ?? r.rung },
    {
      head: 'Disposition',
      value: (r) => r.disposition,
      show: (r) => (r.disposition ? words.say(words.disposition, r.disposition) : h('span', { class: 'soft' }, 'none')),
    },
    ...(may('note')
      ? [
          {
            head: 'Assigned to',
            value: (r) => r.assignee,
            show: (r) => (r.assignee ? shown(r.assignee, { most: 40 }) : h('span', { class: 'soft' }, 'nobody')),
          },
        ]
      : []),
    { head: 'Accounts', n: true, value: (r) => r.accounts },
    { head: 'Γ*', n: true, value: (r) => r.gamma_star, show: (r) => decimal(r.gamma_star, 0) },
    { head: 'Notes', n: true, value: (r) => r.notes?.length ?? 0 },
    {
      head: 'Last word',
      wide: true,
      value: (r) => r.notes?.at(-1)?.text,
      show: (r) => (r.notes?.length ? shown(r.notes.at(-1).text, { most: 120 }) : h('span', { class: 'soft' }, 'nothing written')),
    },
  ];
  return {
    title: 'Cases',
    nodes: [
      head(
        'Cases',
        'Who looks into what, and what they concluded',
        'A disposition is an analyst’s verdict. Nothing is acted on automatically.',
        print(),
      ),
      facts(
        [
          ['to be judged', count(open.length)],
          ['judged', count(judged.length)],
          ['lines of history', count(history.length)],
        ],
        'strip',
      ),
      may('note') &&
        h(
          'form',
          {
            class: 'filters noprint',
            onsubmit: (event) => event.preventDefault(),
            onchange: (event) => go(`/cases${event.target.value ? `?whose=${event.target.value}` : ''}`, { keep: true }),
          },
          field({ name: 'whose', label: 'Whose cases', kind: 'select', value: whose, options: Object.entries(WHOSE) }),
        ),
      section(
        'To be judged',
        null,
        table({ name: 'open-cases', caption: 'Rings without a disposition', rows: open, columns: columns.filter((column) => column.head !== 'Disposition'), empty: 'Every ring has a disposition.' }),
      ),
      section(
        'Judged',
        null,
        table({ name: 'judged-cases', caption: 'Rings with a disposition', rows: judged, columns, empty: 'No ring has a disposition yet.' }),
      ),
      kept && section('Kept questions', 'A question is kept, not its answer. Shared ones are seen by everybody who may see cases.', kept),
      section(
        'History',
        null,
        history.length === 0
          ? h('p', { class: 'empty' }, 'Nobody has written anything yet. Notes are written on the page of a ring.')
          : table({
              name: 'history',
              caption: 'Notes and dispositions, newest first',
              rows: history,
              most: 100,
              columns: [
                { head: 'Time, UTC', soft: true, value: (n) => n.time, show: (n) => moment(n.time) },
                { head: 'By', value: (n) => n.author, show: (n) => shown(n.author, { most: 40 }) },
                { head: 'Ring', rowhead: true, value: (n) => n.ring, show: (n) => link(n.ring) },
                { head: 'Text', wide: true, value: (n) => n.text, show: (n) => shown(n.text, { most: 400 }) },
              ],
            }),
        history.length > 0 && h('p', { class: 'soft' }, many(history.length, 'line', 'lines'), '.'),
      ),
    ],
  };
}
