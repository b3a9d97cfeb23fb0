// Evidence: the chain of custody of the store, and how a finding becomes a bundle that a third party checks.
//
// The idea: a finding is worth what its custody is worth, so the chain stands first and says whether it is unbroken.
// Weakness: a bundle is made and verified by the command line, since its keys are on no server. Guarantee: nothing here
// signs anything.

import { h, shown, count, moment } from './dom.js';
import { get, may } from './api.js';
import { table, facts } from './table.js';
import { head, section, print } from './parts.js';

const command = line => h('pre', { class: 'command', tabindex: '0' }, h('code', null, line));

export async function view({ signal }) {
  const custody = may('custody') ? await get('/custody', { signal }) : null;
  const rows = custody?.rows ?? custody?.entries ?? custody?.chain ?? [];
  const broken = custody && (custody.unbroken === false || custody.broken || custody.fault);
  const top = rows.at(-1);
  const log = row => (row.inputs ?? row.logs ?? []).map(one => one.name ?? one.path ?? one);
  return {
    title: 'Evidence',
    nodes: [
      head('Evidence', 'Custody and bundles', 'Who did what to this store, on which inputs, and how a third party checks it.', print()),
      custody ? [
        facts([['acts', count(rows.length)], ['the chain is', broken ? 'broken' : custody.unbroken === undefined ? 'as listed' : 'unbroken'], ['last act', moment(top?.time)]], 'strip'),
        broken && h('p', { class: 'warn', role: 'alert' }, h('b', null, 'The chain is broken. '), shown(custody.broken?.message ?? custody.fault ?? custody.why ?? 'A row was removed, edited or moved.', { most: 400 })),
        section('Chain of custody', 'Each row holds the digest of the row before it, so a row that is removed, edited or moved is found.', table({
          name: 'custody', caption: 'Chain of custody', rows: [...rows].reverse(), most: 50, empty: 'Nothing was done to this store.',
          columns: [
            { head: 'Act', n: true, value: r => r.seq ?? r.number ?? r.row }, { head: 'Time, UTC', soft: true, value: r => r.time, show: r => moment(r.time) },
            { head: 'By', value: r => r.actor ?? r.who ?? r.user, show: r => shown(r.actor ?? r.who ?? r.user ?? '–', { most: 40 }) },
            { head: 'What', rowhead: true, wide: true, value: r => r.act ?? r.command ?? r.what, show: r => h('span', { class: 'mono' }, shown(r.act ?? r.command ?? r.what, { most: 240 })) },
            { head: 'Inputs', wide: true, value: r => log(r).join(' '), show: r => log(r).slice(0, 4).map(name => h('div', { class: 'mono' }, shown(name, { most: 60 }))) },
            { head: 'Head', value: r => r.head, show: r => h('span', { class: 'mono', title: r.head }, String(r.head ?? '–').slice(0, 12)) },
          ],
        }), top?.head && h('p', { class: 'soft' }, 'Head of the chain: ', h('span', { class: 'mono break' }, top.head), '. Write it down outside this machine, and whoever has it can tell that nothing before it was changed.')),
      ] : section('Chain of custody', null, h('p', { class: 'empty' }, 'The chain of custody is shown to analysts and administrators.')),
      section('A bundle for a third party', 'A bundle holds inputs by digest, configuration, statistics with nulls and number of tests, and is signed. It is made where the signing key is, which is not this server.',
        command('stillhunt ring RING --store DIR --format json > ring.json\nstillhunt evidence bundle ring.json --store DIR --out BUNDLE --sign sign.pem'),
        h('p', null, 'Whoever receives it verifies every byte, and computes every number again:'),
        command('stillhunt evidence verify BUNDLE --public public.pem\nstillhunt evidence replay BUNDLE --inputs INPUTS'),
        h('p', { class: 'soft' }, 'Keys in a bundle are commitments and accounts are pseudonyms, of which chosen ones can be disclosed. A file in it, ', h('code', null, 'verify_bundle.py'), ', checks it without this program.')),
    ],
  };
}
