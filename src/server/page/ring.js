// Rings: the list, and one ring with all that speaks for it and against it.
//
// The idea: the verdict comes with its null, its number of tests and its error rate; then who used what and when; then what
// would be left without each stream; then every innocent explanation that was tried. Weakness: the map of members by
// families shows at most sixty of each, and says so. Guarantee: all numbers are the server's; the order of rows is the only
// thing that is made here, and it is for the eye alone.

import { h, shown, link, count, many, decimal, percent, moment, plain } from './dom.js';
import { get, post, each, may } from './api.js';
import { table, facts } from './table.js';
import { evidence, matrix, timeline } from './chart.js';
import { graph } from './graph.js';
import { kept, keep } from './address.js';
import { ask, field, failure, values } from './dialog.js';
import { head, section, print, ladder, rings as ringTable, behind } from './parts.js';
import * as words from './words.js';

const MOST = 60;
const TIED = 24;
const TIMED = 16;

export async function list({ query, signal, go }) {
  const rung = query.get('rung') ?? '';
  const answer = await get('/rings', { signal, query: { rung, limit: 200 } });
  const all = answer.rings ?? [];
  const rows = rung ? all.filter((ring) => words.RUNGS.indexOf(ring.rung) <= words.RUNGS.indexOf(rung)) : all;
  const meta = answer.rings_meta;
  const past = meta?.past ?? [];
  return {
    title: 'Rings',
    nodes: [
      head(
        'Rings',
        'Accounts that act together',
        meta
          ? `${many(rows.length, 'ring', 'rings')}; at most ${percent(meta.q)} of those confirmed on one day are expected to be false.`
          : 'No rings yet.',
        print(),
      ),
      h(
        'form',
        {
          class: 'filters',
          onsubmit: (event) => event.preventDefault(),
          onchange: (event) => go(`/rings${event.target.value ? `?rung=${event.target.value}` : ''}`, { keep: true }),
        },
        field({
          name: 'rung',
          label: 'Rung, at or above',
          kind: 'select',
          value: rung,
          options: [['', 'any'], ...words.RUNGS.map((r) => [r, words.rung[r][0]])],
        }),
      ),
      ringTable(rows, { name: 'rings', caption: 'Rings', empty: 'No ring is confirmed at this rung.' }),
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
                { head: 'Day', rowhead: true, value: (d) => d.day },
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

// First uses of the ring's families by its members: places in both lists.
const usesOf = (answer, ring, members) =>
  (answer.uses ?? [])
    .map(([member, family]) => ({ account: members[member]?.account, family: ring.families[family]?.family_id }))
    .filter((use) => use.account && use.family);

// The moments of first uses, from the families themselves.
async function moments(members, columns, signal) {
  const uses = [],
    known = new Set(members.map((m) => m.account));
  const found = await each(columns, (column) => get(`/families/${column.family_id}`, { signal }));
  found.forEach((family, i) =>
    (family?.members ?? []).forEach((m) => {
      if (known.has(m.account)) uses.push({ account: m.account, family: columns[i].family_id, time: m.first_seen });
    }),
  );
  return uses;
}

function who(ring, members, columns, uses) {
  const at = new Set(),
    n = new Map();
  const place = new Map(columns.map((c, i) => [c.family_id, i]));
  for (const use of uses) {
    if (!place.has(use.family)) continue;
    at.add(`${use.account} ${use.family}`);
    const list = n.get(use.account) ?? [];
    list.push(place.get(use.family));
    n.set(use.account, list);
  }
  const used = (id) => n.get(id)?.length ?? 0;
  const earliest = (id) => (used(id) ? Math.min(...n.get(id)) : Infinity);
  const middle = (id) => (used(id) ? n.get(id).reduce((a, b) => a + b, 0) / used(id) : Infinity);
  const orders = {
    membership: ['as listed, likeliest first', null],
    first: ['earliest family first', (a, b) => earliest(a.account) - earliest(b.account)],
    most: ['most families first', (a, b) => used(b.account) - used(a.account)],
    alike: ['accounts with like families together', (a, b) => middle(a.account) - middle(b.account)],
  };
  const shownMembers = members.slice(0, MOST);
  const rows = (order) =>
    (orders[order][1] ? [...shownMembers].sort(orders[order][1]) : shownMembers).map((m) => ({
      account: m.account,
      label: m.account.slice(0, 12),
      href: `/accounts/${m.account}`,
      title: `${m.account}, membership ${percent(m.membership, 1)}`,
      faint: m.listed === false,
    }));
  const drawing = h('div'),
    chosenOrder = Object.hasOwn(orders, kept('order') ?? '') ? kept('order') : 'membership';
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
        title: 'Who used which family first',
        name: `${ring.id}-members-families`,
        rows: rows(order),
        note: `${count(shownMembers.length)} of ${many(members.length, 'account', 'accounts')} by ${count(columns.length)} of ${many(ring.families.length, 'family', 'families')}; days from the left`,
        columns: columns.map((c) => ({
          id: c.family_id,
          day: c.day,
          href: `/families/${c.family_id}`,
          title: `${c.family_id}, ${c.day}, ${c.accounts} of ${c.of} accounts`,
        })),
        has: (row, column) => at.has(`${row.account} ${column.id}`),
      }),
    );
  control.addEventListener('change', (event) => {
    keep('order', event.target.value === 'membership' ? null : event.target.value);
    draw(event.target.value);
  });
  draw(chosenOrder);
  return [h('div', { class: 'filters noprint' }, control), drawing];
}

// The accounts and the families of most uses, and a line for each use among them.
function ties(ring, members, uses) {
  const busiest = (of, most) => {
    const n = new Map();
    for (const use of uses) n.set(use[of], (n.get(use[of]) ?? 0) + 1);
    return [...n].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, most);
  };
  const accounts = busiest('account', TIED),
    families = busiest('family', TIED);
  const left = new Map(accounts.map(([id], i) => [id, i])),
    right = new Map(families.map(([id], i) => [id, i]));
  const edges = uses.filter((use) => left.has(use.account) && right.has(use.family)).map((use) => [left.get(use.account), right.get(use.family)]);
  return graph({
    title: 'Accounts and the families that they share',
    name: `${ring.id}-graph`,
    note: `the busiest ${count(accounts.length)} of ${many(members.length, 'account', 'accounts')} and ${count(families.length)} of ${many(ring.families.length, 'family', 'families')}; ${many(edges.length, 'line', 'lines')} of ${count(uses.length)}; height says nothing`,
    left: accounts.map(([id, n]) => ({ label: id, href: `/accounts/${id}`, title: `${id}, ${many(n, 'family', 'families')}` })),
    right: families.map(([id, n]) => ({ label: id, href: `/families/${id}`, title: `${id}, ${many(n, 'account', 'accounts')}` })),
    edges,
  });
}

function when(ring, columns, uses) {
  const timed = uses.filter((use) => use.time);
  if (timed.length === 0) return null;
  const rows = columns
    .slice(0, TIMED)
    .map((c) => ({
      label: c.family_id,
      href: `/families/${c.family_id}`,
      marks: timed
        .filter((use) => use.family === c.family_id)
        .map((use) => ({ time: Date.parse(use.time), title: `${use.account} · ${moment(use.time)}` })),
    }))
    .filter((row) => row.marks.length > 0);
  const times = rows.flatMap((row) => row.marks.map((mark) => mark.time));
  if (times.length === 0) return null;
  const dayLength = 86400000,
    from = Math.floor(Math.min(...times) / dayLength) * dayLength,
    to = (Math.floor(Math.max(...times) / dayLength) + 1) * dayLength;
  return timeline({
    title: 'When its accounts first used each family',
    name: `${ring.id}-first-uses`,
    rows,
    from,
    to,
    note: `${count(rows.length)} of ${many(ring.families.length, 'family', 'families')}, a tick for each account; UTC`,
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
    ring.disposition ? `Disposition: ${words.say(words.disposition, ring.disposition)}.` : 'Nobody has judged this ring.',
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
    meta = answer.rings_meta;
  const columns = [...ring.families.slice(0, MOST)].sort((a, b) => (a.day < b.day ? -1 : a.day > b.day ? 1 : 0));
  const timed = ring.families.slice(0, TIMED).sort((a, b) => (a.day < b.day ? -1 : a.day > b.day ? 1 : 0));
  const uses = usesOf(answer, ring, members);
  const place = uses.length > 0 ? h('div', { class: 'waiting', 'aria-busy': 'true' }, 'Reading when each family was first used …') : null;
  const later =
    place &&
    moments(members, timed, signal)
      .then(
        (found) => place.replaceChildren(...[when(ring, timed, found)].filter(Boolean)),
        (cause) => {
          if (cause.name !== 'AbortError') place.replaceChildren(failure(cause));
        },
      )
      .finally(() => {
        place.removeAttribute('aria-busy');
        place.className = '';
      });
  const streams = Object.entries(ring.streams ?? {});
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
          ['accounts', count(ring.accounts), members.length > ring.accounts ? `${count(members.length)} at a false share of 5%` : null],
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
      section(
        'Who, what and when',
        'A mark is the first use of a family by an account. Customers share one old template; a work queue shares new text every day.',
        uses.length === 0
          ? h('p', { class: 'empty' }, may('account') ? 'Who used what was not kept of this ring.' : 'Who used what is withheld for your role.')
          : [who(ring, members, columns, uses), place, ties(ring, members, uses)],
      ),
      section(
        'Evidence by stream',
        'Each stream by itself; they are never combined. From e = 20 on a stream counts towards the rung.',
        evidence({
          title: 'log₁₀ e by stream',
          name: `${ring.id}-streams`,
          values: streams.map(([name, value]) => ({ label: words.say(words.stream, name), value })),
        }),
        ring.nights?.length > 0 &&
          table({
            name: `${ring.id}-nights`,
            caption: 'Evidence by night',
            rows: ring.nights,
            columns: [
              { head: 'Night', rowhead: true, value: (n) => n.night ?? n.day },
              { head: 'log₁₀ e', n: true, value: (n) => n.log10_e, show: (n) => decimal(n.log10_e) },
            ],
          }),
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
        table({
          name: `${ring.id}-members`,
          caption: 'Members',
          rows: members,
          most: 20,
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
      ),
      section(
        'Families it shared',
        null,
        table({
          name: `${ring.id}-families`,
          caption: 'Families of the ring',
          rows: ring.families,
          most: 12,
          columns: [
            { head: 'Family', rowhead: true, value: (f) => f.family_id, show: (f) => link(f.family_id) },
            { head: 'Day', soft: true, value: (f) => f.day },
            { head: 'Accounts of the ring', n: true, value: (f) => f.accounts },
            { head: 'All accounts', n: true, value: (f) => f.of },
          ],
        }),
      ),
    ],
  };
}
