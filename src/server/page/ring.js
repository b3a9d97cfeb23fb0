// Rings: the list, and one ring with all that speaks for it and against it.
//
// The idea: the verdict comes with its null, its number of tests and its error rate; then who used what and when; then what
// would be left without each stream; then every innocent explanation that was tried. Weakness: texts are read of the first
// twelve families, a row of the access log each. Guarantee: all numbers are the server's.

import { h, shown, link, count, many, decimal, percent, moment, plain } from './dom.js';
import { get, post, each, may, me } from './api.js';
import { table, facts } from './table.js';
import { evidence } from './chart.js';
import { byDay } from './graph.js';
import { drawings } from './uses.js';
import { keepButton } from './saved.js';
import { ask, field, failure, values } from './dialog.js';
import { head, section, print, ladder, template, textOf, filters, typed, paged, rings as ringTable, behind } from './parts.js';
import * as words from './words.js';

// Families whose texts are read.
const READ = 12;
const FILTERS = [
  { name: 'rung', label: 'Rung, at or above', kind: 'select', options: [['', 'any'], ...words.RUNGS.map((r) => [r, words.rung[r][0]])] },
];
const MORE = [
  { name: 'since', label: 'Shared since', kind: 'date' },
  { name: 'until', label: 'Shared before', kind: 'date' },
  { name: 'family', label: 'Family', maxlength: '40' },
  { name: 'level', label: 'Level of a family', kind: 'select', options: [['', 'any'], ...Object.entries(words.level)] },
];
const ACCOUNT = { name: 'account', label: 'Account', maxlength: '40' };

export async function list({ query, signal, go }) {
  const more = may('account') ? [...MORE, ACCOUNT] : MORE;
  const asked = Object.fromEntries([...FILTERS, ...more].map(({ name }) => [name, query.get(name) ?? '']));
  const answer = await get('/rings', { signal, query: { ...asked, limit: 100 } });
  const rows = answer.rings ?? [];
  const page = async (cursor) => {
    const { rings, next } = await get('/rings', { query: { ...asked, limit: 100, cursor } });
    return { rows: rings, next };
  };
  const meta = answer.rings_meta;
  const past = meta?.past ?? [];
  return {
    title: 'Rings',
    nodes: [
      head(
        'Rings',
        'Accounts that act together',
        meta
          ? `${answer.next ? 'More than ' : ''}${many(rows.length, 'ring', 'rings')}; at most ${percent(meta.q)} of those confirmed on one day are expected to be false.`
          : 'No rings yet.',
        print(),
      ),
      filters(
        '/rings',
        go,
        query,
        FILTERS,
        more,
        keepButton('rings', () => typed(query, [...FILTERS, ...more])),
      ),
      paged({
        rows,
        next: answer.next,
        ask: page,
        drawn: (all) => ringTable(all, { name: 'rings', caption: 'Rings', empty: 'No confirmed ring passes these filters.' }),
      }),
      past.length > 0 &&
        section(
          'Left the list',
          'Nothing was heard of them for four weeks, or another ring has their accounts.',
          table({
            name: 'past-rings',
            caption: 'Rings that left the list',
            rows: past,
            columns: [
              { head: 'Ring', rowhead: true, value: (r) => r.id, show: (r) => link(r.id) },
              { head: 'Last listed', soft: true, value: (r) => r.last },
              { head: 'Its accounts are now in', value: (r) => r.became, show: (r) => (r.became ? link(r.became) : '–') },
            ],
          }),
        ),
      meta &&
        section(
          'What stands behind the list',
          null,
          behind(meta),
          meta.days?.length > 0 &&
            table({
              name: 'ring-days',
              caption: 'Days that were read',
              rows: [...meta.days].reverse(),
              most: 30,
              columns: [
                { head: 'Day', rowhead: true, tight: true, value: (d) => d.day },
                { head: 'Accounts', n: true, value: (d) => d.accounts },
                { head: 'New families', n: true, value: (d) => d.families },
                { head: 'Proposed', n: true, value: (d) => d.proposed },
                { head: 'Tested', n: true, value: (d) => d.tested },
                { head: 'Digest of the frozen list', wide: true, value: (d) => d.frozen, show: (d) => h('span', { class: 'mono break' }, d.frozen) },
              ],
            }),
        ),
    ],
  };
}

const number = (x) => typeof x === 'number' && Number.isFinite(x);

// The families of a ring, with the templates that were read.
function families(ring, known) {
  const of = (f) => known.get(f.family_id);
  return table({
    name: `${ring.id}-families`,
    caption: 'Families of the ring',
    rows: ring.families,
    most: 6,
    columns: [
      { head: 'Family', rowhead: true, value: (f) => f.family_id, show: (f) => link(f.family_id) },
      ...(known.size > 0
        ? [
            {
              head: 'Text',
              wide: true,
              value: (f) => (of(f) ? textOf(of(f)) : ''),
              show: (f) => (of(f) ? template(of(f), { most: 180 }) : h('span', { class: 'soft' }, 'not read here')),
            },
          ]
        : []),
      { head: 'Day', soft: true, value: (f) => f.day },
      { head: 'Accounts of the ring', n: true, value: (f) => f.accounts },
      { head: 'All accounts', n: true, value: (f) => f.of },
    ],
  });
}

function verdict(ring, meta) {
  const [name, sentence] = words.rung[ring.rung] ?? [ring.rung, null];
  return section(
    'Verdict',
    null,
    ladder(ring),
    h('p', null, h('b', null, `${name}. `), sentence),
    h(
      'p',
      null,
      words.say(words.route, ring.route),
      '. ',
      `Γ* = ${decimal(ring.gamma_star, 0)}: the ring would still be confirmed if these accounts were, without any coordination, ${decimal(ring.gamma_star, 0)} times likelier than comparable accounts to ask these things.`,
    ),
    ring.past &&
      h(
        'p',
        { class: 'warn' },
        `It left the list; it was listed last on ${ring.past.last}.`,
        ring.past.became && [' Most of its accounts are now in ', link(ring.past.became), '.'],
      ),
    behind(meta),
  );
}

function opinions(ring, again) {
  const notes = ring.notes ?? [];
  const forms = [];
  if (may('dispose')) {
    forms.push(
      h(
        'button',
        {
          type: 'button',
          class: 'act',
          onclick: () =>
            ask({
              title: 'Judge this ring',
              act: 'Record the disposition',
              intro: 'The newest disposition counts; all are kept with name and time.',
              fields: [
                {
                  name: 'disposition',
                  label: 'Disposition',
                  kind: 'select',
                  value: ring.disposition ?? 'unknown',
                  options: Object.entries(words.disposition),
                },
                { name: 'note', label: 'Why', kind: 'area', required: true, maxlength: '4000' },
              ],
              submit: async (given) => {
                await post(`/rings/${ring.id}/disposition`, given);
                await again();
                return null;
              },
            }),
        },
        'Judge this ring',
      ),
    );
  }
  if (may('assign')) {
    forms.push(
      h(
        'button',
        {
          type: 'button',
          class: 'plain',
          onclick: () =>
            ask({
              title: 'Who looks into this ring?',
              act: 'Assign',
              intro: 'An empty name gives it back. Each change stays in the history.',
              fields: [{ name: 'assignee', label: 'Name', value: ring.assignee ?? me.name, maxlength: '200' }],
              submit: async ({ assignee }) => {
                await post(`/rings/${ring.id}/assignee`, assignee.trim() ? { assignee: assignee.trim() } : {});
                await again();
                return null;
              },
            }),
        },
        ring.assignee ? 'Assign anew' : 'Assign',
      ),
    );
  }
  let noteForm = null;
  if (may('note')) {
    const said = h('div');
    noteForm = h(
      'form',
      {
        class: 'note noprint',
        onsubmit: async (event) => {
          event.preventDefault();
          const form = event.currentTarget,
            button = form.querySelector('button');
          button.disabled = true;
          try {
            await post(`/rings/${ring.id}/notes`, { text: values(form).text });
            await again();
          } catch (cause) {
            said.replaceChildren(failure(cause));
            button.disabled = false;
          }
        },
      },
      field({ name: 'text', label: 'Add a note', kind: 'area', required: true, maxlength: '4000' }),
      said,
      h('div', { class: 'acts' }, h('button', { type: 'submit', class: 'act' }, 'Add the note')),
    );
  }
  return section(
    'Notes and disposition',
    [
      ring.disposition ? `Disposition: ${words.say(words.disposition, ring.disposition)}.` : 'Nobody has judged this ring.',
      may('note') && (ring.assignee ? [' Assigned to ', shown(ring.assignee, { most: 60 }), '.'] : ' Nobody is assigned.'),
    ],
    h(
      'ol',
      { class: 'notes' },
      notes.map((note) =>
        h(
          'li',
          null,
          h('p', { class: 'soft' }, `${moment(note.time)} UTC, `, shown(note.author, { most: 60 })),
          h('p', null, shown(note.text, { most: 4000, lines: true })),
        ),
      ),
    ),
    forms.length > 0 && h('div', { class: 'acts noprint' }, forms),
    noteForm,
  );
}

export async function one({ id, signal, again }) {
  const answer = await get(`/rings/${id}`, { signal });
  const ring = answer.ring ?? answer.rings?.[0],
    members = answer.members ?? ring.members ?? [],
    membersInAll = members.length + (answer.members_left_out ?? 0),
    meta = answer.rings_meta;
  const others = async (cursor) => {
    const page = await get(`/rings/${ring.id}/members`, { query: { limit: 500, cursor } });
    return { rows: page.members, next: page.next };
  };
  const asked = h('div'),
    texts = may('text') ? ring.families.slice(0, READ).map((f) => f.family_id) : [];
  asked.replaceChildren(families(ring, new Map()));
  const later =
    texts.length > 0 &&
    each([...new Set(texts)], (family) => get(`/families/${family}`, { signal })).then(
      (found) => asked.replaceChildren(families(ring, new Map(found.filter(Boolean).map(({ family }) => [family.id, family])))),
      () => null,
    );
  const streams = Object.entries(ring.streams ?? {}),
    nights = answer.by_night ?? [];
  const provenance = ring.provenance ?? [];
  return {
    title: `Ring ${ring.id}`,
    later,
    nodes: [
      head(
        `Ring, ${ring.route}`,
        h('span', { class: 'mono' }, ring.id),
        `First proposed on ${ring.first_proposed}, confirmed on ${ring.confirmed_night}.${ring.campaign && ring.campaign !== ring.id ? ` Campaign ${plain(ring.campaign)}.` : ''}`,
        print(),
      ),
      facts(
        [
          ['accounts', count(ring.accounts), membersInAll > ring.accounts ? `${count(membersInAll)} at a false share of 5%` : null],
          ['requests', count(ring.requests)],
          ['families', count(ring.families.length)],
          ['Γ*', decimal(ring.gamma_star, 0)],
          ['log₁₀ e', decimal(ring.log10_e)],
        ],
        'strip',
      ),
      verdict(ring, meta),
      section(
        'Innocent explanations tested',
        'What could not be tested excludes nothing.',
        table({
          name: `${ring.id}-explanations`,
          caption: 'Innocent explanations',
          rows: provenance,
          empty: 'No explanation was tested.',
          columns: [
            { head: 'Explanation', rowhead: true, value: (p) => p.explanation, show: (p) => words.say(words.explanation, p.explanation) },
            {
              head: 'Answer',
              value: (p) => (p.explains === null ? 'not tested' : p.explains ? 'explains it' : 'does not explain it'),
              show: (p) =>
                h(
                  'span',
                  { class: p.explains === null ? 'soft' : p.explains ? 'flag' : null },
                  p.explains === null ? 'not tested' : p.explains ? 'explains it' : 'does not explain it',
                ),
            },
            { head: 'Found', wide: true, value: (p) => p.found, show: (p) => shown(p.found, { most: 300 }) },
          ],
        }),
      ),
      section('What they asked', 'The families that it shared, those of most accounts first. A text alone is no evidence.', asked),
      section(
        'Who, what and when',
        'Customers share one old template; a work queue shares new text every day.',
        drawings(ring, [members, membersInAll], answer.moments ?? [], answer.moments_left_out ?? 0) ??
          h('p', { class: 'empty' }, may('account') ? 'Who used what was not kept of this ring.' : 'Who used what is withheld for your role.'),
      ),
      section(
        'Evidence by stream',
        'Each stream by itself; they are never combined. From e = 20 on a stream counts towards the rung.',
        evidence({
          title: 'log₁₀ e by stream',
          name: `${ring.id}-streams`,
          values: streams.map(([name, value]) => ({ label: words.say(words.stream, name), value })),
        }),
        nights.length > 0 && [
          byDay({
            title: 'log₁₀ e by night and stream',
            name: `${ring.id}-nights`,
            note: 'each as it was known then; square-root scale',
            streams: [...new Set(nights.flatMap((n) => Object.keys(n.streams)))].map((name) => ({
              label: words.say(words.stream, name),
              points: nights.filter((n) => number(n.streams[name])).map((n) => [n.day, n.streams[name]]),
            })),
          }),
          table({
            name: `${ring.id}-nights`,
            caption: 'Evidence by night',
            rows: nights,
            most: 14,
            columns: [
              { head: 'Night', rowhead: true, tight: true, value: (n) => n.day },
              { head: 'Decides, log₁₀ e', n: true, value: (n) => n.log10_e, show: (n) => decimal(n.log10_e) },
              ...Object.keys(words.stream)
                .filter((name) => nights.some((n) => number(n.streams[name])))
                .map((name) => ({
                  head: words.say(words.stream, name),
                  n: true,
                  value: (n) => n.streams[name],
                  show: (n) => (number(n.streams[name]) ? decimal(n.streams[name]) : '–'),
                })),
            ],
          }),
        ],
        table({
          name: `${ring.id}-without`,
          caption: 'The rung without each stream',
          rows: Object.entries(ring.without ?? {}).filter(([, left]) => left !== null),
          columns: [
            { head: 'Without', rowhead: true, value: (r) => r[0], show: (r) => words.say(words.stream, r[0]) },
            {
              head: 'It would be',
              wide: true,
              value: (r) => r[1],
              show: (r) => (r[1] === 'not-confirmed' ? 'not confirmed' : (words.rung[r[1]]?.[0] ?? r[1])),
            },
          ],
        }),
      ),
      section(
        'Sensitivity',
        'What is left where one thing is changed in a test.',
        table({
          name: `${ring.id}-sensitivity`,
          caption: 'Sensitivity',
          rows: ring.sensitivity ?? [],
          empty: 'No test was changed.',
          columns: [
            { head: 'Change', rowhead: true, wide: true, value: (c) => c.change, show: (c) => words.say(words.change, c.change) },
            { head: 'Stream', value: (c) => c.stream, show: (c) => words.say(words.stream, c.stream) },
            { head: 'log₁₀ e', n: true, value: (c) => c.log10_e, show: (c) => decimal(c.log10_e) },
            {
              head: 'What is left',
              value: (c) => c.stands,
              show: (c) =>
                c.stands === null
                  ? h('span', { class: 'soft' }, 'not asked')
                  : c.stream === 'co-use'
                    ? c.stands
                      ? 'still confirmed'
                      : h('span', { class: 'flag' }, 'not confirmed')
                    : c.stands
                      ? 'counts'
                      : h('span', { class: 'soft' }, 'too little to count'),
            },
          ],
        }),
      ),
      section(
        'What its accounts have in common',
        `Beside their texts, of ${many(ring.tested_accounts, 'account', 'accounts')} that were compared with accounts of the same plan which ask as much.`,
        table({
          name: `${ring.id}-in-common`,
          caption: 'Attributes in common',
          rows: ring.in_common ?? [],
          empty: 'The log names no attribute to compare.',
          columns: [
            { head: 'Attribute', rowhead: true, value: (c) => c.attribute },
            { head: 'Accounts with one value', n: true, value: (c) => c.accounts },
            { head: 'log₁₀ p', n: true, value: (c) => c.log10_p, show: (c) => decimal(c.log10_p) },
            {
              head: 'Counts',
              wide: true,
              value: (c) => c.counts,
              show: (c) => (c.counts ? 'towards account attributes' : 'for nothing: customers of one app share it'),
            },
          ],
        }),
        (ring.links ?? []).length > 0 &&
          table({
            name: `${ring.id}-links`,
            caption: 'Facts, without a p-value',
            rows: ring.links,
            columns: [
              { head: 'Fact', rowhead: true, value: (l) => `one ${l.link}` },
              { head: 'Accounts', n: true, value: (l) => l.accounts },
              { head: 'Of', n: true, value: (l) => l.of },
              { head: 'All that have it', n: true, value: (l) => l.having },
              { head: 'Of all', n: true, value: (l) => l.known },
            ],
          }),
        ring.focus &&
          h(
            'p',
            { class: 'soft' },
            `${count(ring.focus.shared_focused)} of ${many(ring.focus.shared_requests, 'request', 'requests')} in texts that they share want reasoning or grades: said, not tested.`,
            ring.focus.share !== null &&
              ` Of what else ${count(ring.focus.accounts)} accounts ask, ${percent(ring.focus.share)} does (others: ${percent(ring.focus.of_others)}; log₁₀ p ${decimal(ring.focus.log10_p)}); this raises no rung.`,
          ),
        (ring.pivots ?? []).length > 0 &&
          table({
            name: `${ring.id}-pivots`,
            caption: 'Moves to new models',
            rows: ring.pivots,
            columns: [
              { head: 'Model', rowhead: true, wide: true, value: (p) => p.model, show: (p) => shown(p.model, { most: 60 }) },
              { head: 'New on', value: (p) => p.first },
              { head: 'Accounts', n: true, value: (p) => p.accounts },
              { head: 'Share', n: true, value: (p) => p.share, show: (p) => percent(p.share) },
              { head: 'Others', n: true, value: (p) => p.of_others, show: (p) => percent(p.of_others) },
              { head: 'log₁₀ p', n: true, value: (p) => p.log10_p, show: (p) => decimal(p.log10_p) },
            ],
          }),
      ),
      opinions(ring, again),
      section(
        'Members',
        'The membership of an account is one less its local false discovery rate, judged without itself. Accounts that are not listed enter at a false share of 5% only.',
        paged({
          rows: members,
          next: answer.members_left_out > 0 ? members.at(-1).account : null,
          all: membersInAll,
          ask: others,
          drawn: (rows) =>
            table({
              name: `${ring.id}-members`,
              caption: 'Members',
              rows,
              most: rows.length > members.length ? rows.length : 20,
              empty: 'The members are withheld for your role.',
              columns: [
                { head: 'Account', rowhead: true, value: (m) => m.account, show: (m) => link(m.account) },
                { head: 'Membership', n: true, value: (m) => m.membership, show: (m) => percent(m.membership, 1) },
                { head: 'Listed at 1%', value: (m) => (m.listed ? 'yes' : 'no'), show: (m) => (m.listed ? 'yes' : h('span', { class: 'soft' }, 'no')) },
                { head: 'Shared', n: true, value: (m) => m.shared },
                {
                  head: 'Families that say most',
                  wide: true,
                  fixed: true,
                  links: true,
                  value: (m) => (m.families ?? []).join(' '),
                  show: (m) => (m.families ?? []).map((f, i) => [i > 0 && ' ', link(f)]),
                },
              ],
            }),
        }),
      ),
    ],
  };
}
