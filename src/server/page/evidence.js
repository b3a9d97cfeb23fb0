// Evidence: the chain of custody of the store, and how a finding becomes a bundle that a third party checks.
//
// The idea: a finding is worth what its custody is worth, so the chain stands first and says whether it is unbroken.
// Weakness: a bundle is made and verified by the command line, since its keys are on no server. Guarantee: nothing here
// signs anything.

import { h, shown, count, moment } from './dom.js';
import { get, may } from './api.js';
import { table, facts } from './table.js';
import { head, section, print } from './parts.js';

const command = (line) => h('pre', { class: 'command', tabindex: '0' }, h('code', null, line));

export async function view({ signal }) {
  const custody = may('custody') ? await get('/custody', { signal }) : null;
  const access = may('log') ? await get('/log', { signal, query: { limit: 200 } }) : null;
  const rows = custody?.rows ?? [],
    head_ = custody?.head;
  const time = (row) => new Date(row.time_us / 1000).toISOString();
  return {
    title: 'Evidence',
    nodes: [
      head('Evidence', 'Custody and bundles', 'Who did what to this store, on which inputs, and how a third party checks it.', print()),
      custody
        ? [
            facts(
              [
                ['acts', count(rows.length)],
                ['last act, UTC', rows.length ? moment(time(rows.at(-1))) : '–'],
              ],
              'strip',
            ),
            section(
              'Chain of custody',
              'Each row holds the digest of the row before it, so a row that is removed, edited or moved is found.',
              table({
                name: 'custody',
                caption: 'Chain of custody',
                rows: [...rows].reverse(),
                most: 50,
                empty: 'Nothing was done to this store.',
                columns: [
                  { head: 'Act', n: true, value: (r) => r.row },
                  { head: 'Time, UTC', soft: true, value: time, show: (r) => moment(time(r)) },
                  { head: 'By', value: (r) => r.author, show: (r) => shown(r.author, { most: 40 }) },
                  {
                    head: 'What',
                    rowhead: true,
                    wide: true,
                    value: (r) => [r.command, ...(r.arguments ?? [])].join(' '),
                    show: (r) => h('span', { class: 'mono' }, shown([r.command, ...(r.arguments ?? [])].join(' '), { most: 240 })),
                  },
                  {
                    head: 'Inputs',
                    wide: true,
                    value: (r) => (r.inputs ?? []).map((one) => `${one.name} ${one.blake3 ?? ''}`).join(' '),
                    show: (r) => (r.inputs ?? []).slice(0, 4).map((one) => h('div', { class: 'mono' }, shown(one.name, { most: 60 }))),
                  },
                  {
                    head: 'Head',
                    value: (r) => r.head,
                    show: (r) => h('span', { class: 'mono', title: r.head }, String(r.head ?? '–').slice(0, 12)),
                  },
                ],
              }),
              head_?.head &&
                h(
                  'p',
                  { class: 'soft' },
                  'Head of the chain: ',
                  h('span', { class: 'mono break' }, head_.head),
                  '. Write it down outside this machine, and whoever has it can tell that nothing before it was changed.',
                ),
            ),
            access &&
              section(
                'Access log',
                'Who read or revealed what through this desk, newest first. It is a chain of its own; stillhunt serve log verify checks it.',
                (access.faults ?? []).length > 0 &&
                  h(
                    'ul',
                    { class: 'warn list' },
                    access.faults.map((fault) => h('li', null, shown(typeof fault === 'string' ? fault : JSON.stringify(fault), { most: 300 }))),
                  ),
                table({
                  name: 'access-log',
                  caption: 'Access log',
                  rows: access.rows ?? [],
                  most: 30,
                  empty: 'Nothing was read yet.',
                  columns: [
                    { head: 'Row', n: true, value: (r) => r.row },
                    { head: 'Time, UTC', soft: true, value: time, show: (r) => moment(time(r)) },
                    { head: 'By', rowhead: true, value: (r) => r.who, show: (r) => shown(r.who, { most: 40 }) },
                    { head: 'Role', value: (r) => r.role },
                    { head: 'Act', value: (r) => r.act, show: (r) => shown(r.act, { most: 20 }) },
                    { head: 'Of', wide: true, value: (r) => r.subject, show: (r) => h('span', { class: 'mono' }, shown(r.subject, { most: 100 })) },
                    { head: 'Purpose', value: (r) => r.purpose, show: (r) => shown(r.purpose ?? '–', { most: 100 }) },
                  ],
                }),
              ),
          ]
        : section('Chain of custody', null, h('p', { class: 'empty' }, 'The chain of custody is shown to analysts and administrators.')),
      section(
        'A bundle for a third party',
        'A bundle holds inputs by digest, configuration, statistics with nulls and number of tests, and is signed. It is made where the signing key is, which is not this server.',
        command(
          'stillhunt ring RING --store DIR --format json > ring.json\nstillhunt evidence bundle ring.json --store DIR --out BUNDLE --sign sign.pem',
        ),
        h('p', null, 'Whoever receives it verifies every byte, and computes every number again:'),
        command('stillhunt evidence verify BUNDLE --public public.pem\nstillhunt evidence replay BUNDLE --inputs INPUTS'),
        h(
          'p',
          { class: 'soft' },
          'Keys in a bundle are commitments and accounts are pseudonyms, of which chosen ones can be disclosed. A file in it, ',
          h('code', null, 'verify_bundle.py'),
          ', checks it without this program.',
        ),
      ),
    ],
  };
}
