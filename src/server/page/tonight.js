// Tonight: the rings by rung, what changed since the night before, and whether the run is to be believed.
//
// The idea: the first question is what is new, the second whether the list is valid, and only then how much was read.
// Weakness: it shows the head of each list; the rest is one link away. Guarantee: a run that is not valid says so above
// everything it found.

import { h, shown, link, count, many, decimal, percent, day } from './dom.js';
import { get } from './api.js';
import { table, facts } from './table.js';
import { bars } from './chart.js';
import { head, section, print, rings as ringTable, families as familyTable, behind } from './parts.js';
import * as words from './words.js';

function changes(changed) {
  if (!changed) return null;
  const since = changed.since,
    rows = [];
  const told = (name, list) =>
    Array.isArray(list) &&
    list.length > 0 &&
    rows.push(
      h(
        'li',
        null,
        h('b', null, name),
        ' ',
        list.slice(0, 20).map((one, i) => [i > 0 && ', ', link(one)]),
        list.length > 20 && ` and ${count(list.length - 20)} more`,
      ),
    );
  told('New rings:', changed.new_rings);
  told('Left the list:', changed.left_rings);
  if (rows.length === 0 && Array.isArray(changed.new_rings)) rows.push(h('li', null, 'No ring came to the list, and none left it.'));
  for (const [name, one, more] of [
    ['new_families', 'new family', 'new families'],
    ['new_accounts', 'new account', 'new accounts'],
    ['exchanges', 'exchange was added', 'exchanges were added'],
  ]) {
    if (typeof changed[name] === 'number') rows.push(h('li', null, `${many(changed[name], one, more)}.`));
  }
  return section(
    'What changed',
    since ? `Since night ${since}.` : 'Since the night before.',
    rows.length ? h('ul', { class: 'list' }, rows) : h('p', { class: 'empty' }, 'Nothing changed on the list of rings.'),
  );
}

function planting(found) {
  const about =
    'Whether responses bear the watermark that they should. A mark that is missing cannot be found again in a model that was trained on them.';
  if (!found)
    return section(
      'Planting health',
      about,
      h(
        'p',
        { class: 'empty' },
        'No night of this store was checked for planting. ',
        h('code', null, 'stillhunt audit --planted KEYFILE'),
        ' checks a sample of every night.',
      ),
    );
  return section(
    'Planting health',
    about,
    found.alarms?.length > 0
      ? h(
          'ul',
          { class: 'warn list' },
          found.alarms.map((alarm) => h('li', null, shown(alarm, { most: 400 }))),
        )
      : h('p', null, 'No alarm.'),
    h(
      'p',
      { class: 'soft' },
      `Night ${count(found.night)}: ${count(found.sampled)} of ${many(found.responses, 'response', 'responses')} were scored; ${count(found.too_short)} were too short, ${count(found.without_key)} have no key. An alarm comes by chance in at most ${percent(found.alpha, 1)} of services where nothing ever fails.`,
    ),
    table({
      name: 'planting',
      caption: 'Planting health by cell',
      rows: found.cells ?? [],
      empty: 'No response was scored.',
      columns: [
        { head: 'By', value: (c) => c.by },
        { head: 'Value', wide: true, rowhead: true, value: (c) => c.value, show: (c) => shown(c.value, { most: 80 }) },
        { head: 'State', value: (c) => c.state },
        { head: 'Responses', n: true, value: (c) => c.responses },
        { head: 'Tokens', n: true, value: (c) => c.tokens },
        { head: 'log₁₀ p', n: true, value: (c) => c.log10_p, show: (c) => decimal(c.log10_p) },
        { head: 'Unmarked', n: true, value: (c) => c.unmarked, show: (c) => percent(c.unmarked) },
        { head: 'Before', n: true, value: (c) => c.unmarked_before, show: (c) => percent(c.unmarked_before) },
      ],
    }),
  );
}

export async function view({ signal }) {
  const report = await get('/tonight', { signal });
  const { store = {}, nights = [], rings = [], rings_meta: meta } = report;
  const night = nights.at(-1)?.night ?? store.nights;
  const newest = nights.at(-1);
  const changed = report.changed,
    fresh = new Set(changed?.new_rings ?? []);
  const isNew = (ring) => fresh.has(ring.id);
  const list = rings.filter((ring) => !ring.past);
  // Of all nights, the newest first.
  const aside = [...(report.quarantined ?? [])].reverse(),
    asideTonight = aside.filter((one) => one.night === night).reduce((sum, one) => sum + one.rows, 0);
  const title = `Night ${night ?? '–'}`;
  return {
    title: `Tonight: night ${night ?? '–'}`,
    nodes: [
      head(
        'Tonight',
        title,
        `${day(store.first_seen)} to ${day(store.last_seen)} · ${many(store.exchanges, 'exchange', 'exchanges')} · ${many(store.accounts, 'account', 'accounts')} · ${many(store.nights, 'night', 'nights')}`,
        print(),
      ),
      facts(
        [
          ['rings on the list', count(list.length + (report.rings_left_out ?? 0))],
          ['groups under test', count(meta?.tested)],
          ['exchanges added', count(newest?.exchanges)],
          ['rows set aside', count(asideTonight)],
          ['families that are new', count(newest?.new_families)],
        ],
        'strip',
      ),
      (report.notes ?? []).length > 0 &&
        h(
          'ul',
          { class: 'warn list' },
          report.notes.map((note) => h('li', null, shown(note, { most: 400 }))),
        ),
      section(
        'Rings by rung',
        list.length ? 'The surest first. Nothing is acted on below the rung “second stream”, and no text is evidence alone.' : null,
        list.length === 0 &&
          h(
            'p',
            { class: 'empty' },
            meta
              ? 'No ring is confirmed. A short list is no evidence that nothing happened: rerouted users and bought transcripts do not show in text.'
              : 'This store has no rings yet: the first night can propose groups, and later days test them.',
          ),
        words.RUNGS.map((rung) => [rung, list.filter((ring) => ring.rung === rung)])
          .filter(([, some]) => some.length)
          .map(([rung, some]) =>
            h(
              'div',
              { class: 'rung' },
              h('h3', null, words.rung[rung][0], h('span', { class: 'soft' }, ` ${many(some.length, 'ring', 'rings')}`)),
              h('p', { class: 'about' }, words.rung[rung][1]),
              ringTable(some, { name: `rings-${rung}`, caption: `Rings on the rung ${words.rung[rung][0]}`, isNew }),
            ),
          ),
        report.rings_left_out > 0 &&
          h('p', { class: 'soft' }, `The first ${count(list.length)}; `, h('a', { href: '/rings' }, `${count(report.rings_left_out)} more`), ' are in the list of all rings.'),
      ),
      changes(changed),
      meta &&
        section(
          'Is this run valid?',
          null,
          h('p', { class: meta.valid === false ? 'warn' : 'fine' }, meta.valid === false ? 'No.' : 'Yes. The placebo walks are as they should be.'),
          (meta.alarms ?? []).length > 0 &&
            h(
              'ul',
              { class: 'warn list' },
              meta.alarms.map((alarm) => h('li', null, shown(alarm, { most: 400 }))),
            ),
          behind(meta),
        ),
      planting(report.planting),
      section(
        'Rows set aside',
        'A bad row is counted and kept aside with its reason; the job goes on.',
        table({
          name: 'set-aside',
          caption: 'Rows set aside by night and reason',
          rows: aside,
          most: 20,
          empty: `No row was set aside on ${nights.length === 1 ? 'the one night' : `any of ${many(nights.length, 'night', 'nights')}`}.`,
          columns: [
            { head: 'Night', n: true, value: (r) => r.night },
            { head: 'Reason', rowhead: true, wide: true, value: (r) => r.reason, show: (r) => shown(r.reason, { most: 200 }) },
            { head: 'Rows', n: true, value: (r) => r.rows },
          ],
        }),
        aside.length > 0 &&
          h('p', { class: 'soft' }, 'Their places are in ', h('code', null, 'quarantine.jsonl'), ', beside the report of each night.'),
      ),
      nights.length > 0 &&
        section(
          'Night by night',
          null,
          h(
            'div',
            { class: 'trio' },
            bars({
              title: 'Exchanges',
              note: `${count(newest.exchanges)} in the newest`,
              name: 'exchanges',
              values: nights.slice(-60).map((n) => ({ label: String(n.night), value: n.exchanges })),
            }),
            bars({
              title: 'New accounts',
              note: `${count(newest.new_accounts)} in the newest`,
              name: 'new-accounts',
              values: nights.slice(-60).map((n) => ({ label: String(n.night), value: n.new_accounts })),
            }),
            bars({
              title: 'New families',
              note: `${count(newest.new_families)} in the newest`,
              name: 'new-families',
              values: nights.slice(-60).map((n) => ({ label: String(n.night), value: n.new_families })),
            }),
          ),
        ),
      (report.families ?? []).length > 0 &&
        section(
          'Leading families',
          'By distinct accounts. A family is not a finding: customers of one app share its template, students share an exercise.',
          familyTable(report.families.slice(0, 12), { name: 'leading-families', caption: 'Leading families' }),
          h('p', { class: 'soft' }, h('a', { href: '/families' }, 'All families')),
        ),
    ],
  };
}
