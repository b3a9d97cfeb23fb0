// Families: the list with its filters, and one family with its template, slots, accounts and growth.
//
// The idea: the template says at once what is fixed and what varies. Weakness: a list is in the server's order, most accounts
// first; sorting is of the rows that are loaded. Guarantee: filters stand in the address, so a list can be sent to a colleague.

import { h, shown, link, count, many, decimal, percent, span, day, moment, PAGE, PARAGRAPH, LINE } from './dom.js';
import { get, post, me, may } from './api.js';
import { table, facts } from './table.js';
import { bars } from './chart.js';
import { failure, reveal, withheld } from './dialog.js';
import { head, section, print, template, textOf, filters, typed, paged, families as familyTable } from './parts.js';
import { keepButton } from './saved.js';
import * as words from './words.js';

const FILTERS = [
  { name: 'level', label: 'Level', kind: 'select', options: [['', 'any'], ...Object.entries(words.level)] },
  { name: 'accounts', label: 'Accounts, at least', kind: 'number', min: '1', step: '1' },
  { name: 'since', label: 'Seen since', kind: 'date' },
  { name: 'until', label: 'Seen before', kind: 'date' },
  { name: 'new', label: 'New tonight', kind: 'check' },
];
const MORE = [
  { name: 'from_night', label: 'From night', kind: 'number', min: '1', step: '1' },
  { name: 'to_night', label: 'To night', kind: 'number', min: '1', step: '1' },
  { name: 'model', label: 'Served model', maxlength: '200' },
  { name: 'least_percent', label: 'Similarity, at least, in %', kind: 'number', min: '0', max: '100' },
];
// What a viewer may not ask by.
const NAMED = [
  { name: 'account', label: 'Account', maxlength: '40' },
  { name: 'stratum', label: 'Registered text, by name', maxlength: '200' },
];

export async function list({ query, signal, go }) {
  const more = may('account') ? [...MORE, ...NAMED] : MORE;
  const filter = Object.fromEntries([...FILTERS, ...more].map(({ name }) => [name, query.get(name) ?? '']));
  const page = async (cursor, more = {}) => {
    const { families, next } = await get('/families', { query: { limit: 50, ...filter, cursor }, ...more });
    return { rows: families, next };
  };
  const holder = paged({
    ...(await page(null, { signal })),
    ask: page,
    drawn: (rows) => familyTable(rows, { name: 'families', caption: 'Families', empty: 'No family passes these filters.' }),
    say: (n) => [
      `${many(n, 'family is', 'families are')} shown. `,
      !may('text') && `Families of fewer than ${count(me.k)} accounts and all texts are withheld for your role. `,
    ],
  });
  const form = filters(
    '/families',
    go,
    query,
    FILTERS,
    more,
    keepButton('families', () => typed(query, [...FILTERS, ...more])),
  );
  return {
    title: 'Families',
    nodes: [
      head(
        'Families',
        'Families of similar prompts',
        'Judged by text alone, by distinct accounts. A family is a place to look, not a finding.',
        print(),
      ),
      form,
      holder,
    ],
  };
}

// Families whose prompts are like this one's text: what a search for it gives, by family.
async function alike(family, prompt, signal) {
  const answer = await post('/similar', { text: [...prompt].slice(0, 4000).join(''), k: 60 }, { signal });
  const best = new Map();
  for (const hit of answer.hits ?? []) if (hit.family_id && hit.family_id !== family.id && !best.has(hit.family_id)) best.set(hit.family_id, hit);
  return table({
    name: `${family.id}-similar`,
    caption: 'Similar families',
    rows: [...best.values()],
    most: 8,
    empty: 'None of the 60 prompts nearest to its text is in another family.',
    columns: [
      { head: 'Family', rowhead: true, value: (x) => x.family_id, show: (x) => link(x.family_id) },
      { head: 'Similarity', n: true, value: (x) => x.similarity, show: (x) => decimal(x.similarity, 3) },
      { head: 'Nearest prompt', wide: true, value: (x) => x.text, show: (x) => shown(x.text, { most: LINE, bytes: x.text_bytes }) },
    ],
  });
}

// In which texts a fragment stands, and which known text explains it.
function strata({ id, fragment }) {
  const { place = {}, largest_near_families: largest = [] } = fragment;
  const known = fragment.known
    ? ['The registered text ', shown(fragment.known, { most: 80 }), ' explains it: it is no evidence of a ring.']
    : may('registry')
      ? 'No registered text explains it.'
      : null;
  return section(
    'In which texts it stands',
    known,
    facts(
      [
        ['Held by', many(fragment.texts, ...words.FIELD[fragment.field])],
        ['Share', `${percent(fragment.share)} of such a text, the median`],
        ['Made of', `${many(fragment.parts, 'run', 'runs')} of text that its accounts send together`],
        [
          'Cuts across',
          [many(fragment.near_families, 'near-duplicate family', 'near-duplicate families'), largest.map((one, i) => [i === 0 ? ', the largest ' : ', ', link(one)])],
        ],
        may('registry') && fragment.digest && ['Digest', h('span', { class: 'mono break' }, fragment.digest)],
      ],
      'terms',
    ),
    bars({
      title: 'Where it stands in them',
      name: `${id}-place`,
      values: ['start', 'middle', 'end'].map((name) => ({ label: name, value: place[name] ?? 0 })),
      unit: ' texts',
    }),
    fragment.registry_candidate &&
      h('p', null, 'It is old and common. Decide whether it belongs into the ', h('a', { href: '/registry' }, 'registry'), '.'),
  );
}

export async function one({ id, signal }) {
  const answer = await get(`/families/${id}`, { signal });
  const { family, members = [], rings = [], exchanges = [] } = answer;
  const accounts = async (cursor) => {
    const page = await get(`/families/${family.id}/accounts`, { query: { limit: 500, cursor } });
    return { rows: page.members, next: page.next };
  };
  const slots = family.slots ?? [];
  const prompt = textOf(family);
  const near = may('text') && prompt ? h('div', { class: 'waiting', 'aria-busy': 'true' }, 'Searching …') : null;
  const later = near
    ? alike(family, prompt, signal)
        .then(
          (found) => near.replaceChildren(found),
          (cause) => {
            if (cause.name !== 'AbortError') near.replaceChildren(failure(cause));
          },
        )
        .finally(() => {
          near.removeAttribute('aria-busy');
          near.className = '';
        })
    : null;
  const raw = exchanges.some((e) => typeof e.prompt === 'string');
  return {
    title: `Family ${family.id}`,
    later,
    nodes: [
      head(
        `Family, ${words.say(words.level, family.level)}`,
        h('span', { class: 'mono' }, family.id),
        words.levels[family.level] ?? null,
        prompt && h('a', { class: 'act', href: `/search?${new URLSearchParams({ q: [...prompt].slice(0, 1500).join('') })}` }, 'Search for its text'),
        print(),
      ),
      facts(
        [
          ['accounts', count(family.accounts)],
          ['requests', count(family.requests)],
          ['distinct prompts', count(family.distinct_prompts)],
          ['new accounts', count(family.new_accounts), `${percent(family.new_account_share)} of all`],
          ['seen', span(family.first_seen, family.last_seen)],
        ],
        'strip',
      ),
      section(
        'Template',
        slots.length ? 'The fixed text, with the parts that vary as numbered slots.' : 'The fixed text. Nothing in it varies enough to be a slot.',
        h('div', { class: 'well' }, template(family, { most: PAGE, lines: true })),
        slots.length > 0 &&
          table({
            name: `${family.id}-slots`,
            caption: 'Slots and their values',
            note: `Counted in ${many(family.template_members, 'text', 'texts')} that the template was made of.`,
            rows: slots,
            columns: [
              { head: 'Slot', rowhead: true, value: (x) => x.slot, show: (x) => h('span', { class: `slot s${x.slot % 6}` }, h('b', null, x.slot)) },
              { head: 'Values', n: true, value: (x) => x.distinct_values },
              { head: 'Without it', n: true, value: (x) => x.absent },
              {
                head: 'Values, with the requests that had them',
                wide: true,
                fixed: true,
                value: (x) => (x.values ?? []).map((one) => `${one.value} × ${one.requests}`).join(' | '),
                show: (x) =>
                  (x.values ?? []).length === 0
                    ? withheld()
                    : [
                        h(
                          'ul',
                          { class: 'chips' },
                          x.values.map((one) =>
                            h(
                              'li',
                              { title: `in ${many(one.members, 'text', 'texts')} and ${many(one.requests, 'request', 'requests')}` },
                              shown(one.value, { most: 80, bytes: one.value_bytes }),
                              h('b', { class: 'n' }, ` × ${count(one.requests)}`),
                            ),
                          ),
                        ),
                        x.values_left_out > 0 && h('p', { class: 'soft' }, `and ${many(x.values_left_out, 'value', 'values')} more`),
                      ],
              },
            ],
          }),
        family.within && h('p', null, 'It lies within family ', link(family.within), '.'),
        family.merged?.length > 0 &&
          h(
            'p',
            null,
            'Families that were merged into it: ',
            family.merged.slice(0, 20).map((m, i) => [i > 0 && ', ', link(m.id ?? m.family_id ?? m)]),
          ),
        family.smallest_similarity !== null &&
          family.smallest_similarity !== undefined &&
          h(
            'p',
            { class: 'soft' },
            `The smallest similarity of a member to its leader is ${decimal(family.smallest_similarity, 3)}, by rule ${family.rule}.`,
          ),
      ),
      family.fragment && strata(family),
      rings.length > 0 &&
        section(
          'Rings that shared it',
          null,
          table({
            name: `${family.id}-rings`,
            caption: 'Rings that shared this family',
            rows: rings,
            columns: [
              { head: 'Ring', rowhead: true, value: (r) => r.ring_id ?? r.id, show: (r) => link(r.ring_id ?? r.id) },
              { head: 'Rung', value: (r) => r.rung, show: (r) => words.rung[r.rung]?.[0] ?? r.rung },
              { head: 'Accounts of the ring', n: true, value: (r) => r.accounts ?? null },
              { head: 'All accounts', n: true, value: (r) => r.of ?? null },
              { head: 'Γ*', n: true, value: (r) => r.gamma_star, show: (r) => decimal(r.gamma_star, 0) },
              { head: 'Confirmed', soft: true, value: (r) => r.confirmed_night },
            ],
          }),
        ),
      section(
        'Growth by night',
        null,
        h(
          'div',
          { class: 'duo' },
          bars({
            title: 'Accounts by night',
            note: 'strong: new that night',
            name: `${family.id}-accounts`,
            values: (family.nights ?? []).slice(-60).map((n) => ({ label: `night ${n.night}`, value: n.accounts, part: n.new_accounts })),
          }),
          bars({
            title: 'Requests by day',
            name: `${family.id}-days`,
            values: (family.days ?? []).slice(-60).map((d) => ({ label: d.day.slice(5), value: d.requests })),
          }),
        ),
        family.models?.length > 0 &&
          table({
            name: `${family.id}-models`,
            caption: 'Models asked',
            rows: family.models,
            columns: [
              { head: 'Model', rowhead: true, wide: true, value: (m) => m.model, show: (m) => shown(m.model, { most: 80 }) },
              { head: 'Requests', n: true, value: (m) => m.requests },
            ],
          }),
      ),
      section(
        'Accounts',
        members.length > 0 && 'Those of most requests first.',
        paged({
          rows: members,
          next: answer.members_left_out > 0 ? members.at(-1).account : null,
          all: family.accounts,
          ask: accounts,
          drawn: (rows) =>
            table({
              name: `${family.id}-accounts`,
              caption: 'Accounts of this family',
              rows,
              most: rows.length > members.length ? rows.length : 20,
              empty: may('account') ? 'It has no accounts any more.' : 'The accounts are withheld for your role.',
              columns: [
                { head: 'Account', rowhead: true, value: (m) => m.account, show: (m) => link(m.account) },
                { head: 'Requests', n: true, value: (m) => m.requests },
                { head: 'First', soft: true, value: (m) => m.first_seen, show: (m) => moment(m.first_seen) },
                { head: 'Last', soft: true, value: (m) => m.last_seen, show: (m) => moment(m.last_seen) },
              ],
            }),
        }),
      ),
      near && section('Similar families', 'What a search for its text finds in other families.', near),
      exchanges.length > 0 &&
        section(
          'Exchanges',
          raw ? 'Some of its requests as they were sent, the earliest first.' : [withheld(), '. Each can also be revealed for a purpose of its own.'],
          table({
            name: `${family.id}-exchanges`,
            caption: 'Exchanges of this family',
            rows: exchanges,
            most: 25,
            columns: [
              {
                head: 'Exchange',
                rowhead: true,
                value: (e) => e.exchange_id ?? e.exchange,
                show: (e) => [
                  h('span', { class: 'id' }, shown(e.exchange_id ?? e.exchange, { most: 40 })),
                  ' ',
                  reveal('exchange', e.exchange_id ?? e.exchange),
                ],
              },
              { head: 'Account', value: (e) => e.account, show: (e) => link(e.account) },
              { head: 'Time, UTC', soft: true, value: (e) => e.time, show: (e) => moment(e.time) },
              ...(raw
                ? [
                    {
                      head: 'Prompt',
                      wide: true,
                      value: (e) => e.prompt,
                      show: (e) => shown(e.prompt, { most: PARAGRAPH / 4, bytes: e.prompt_bytes }),
                    },
                  ]
                : []),
            ],
          }),
        ),
    ],
  };
}
