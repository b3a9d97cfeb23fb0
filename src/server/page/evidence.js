// Evidence: the chain of custody of the store, and how a finding becomes a bundle that a third party checks.
//
// The idea: a finding is worth what its custody is worth, so the chain stands first and says whether it is unbroken.
// Weakness: a bundle is made by the command line, since the key that signs it is on no server. Guarantee: nothing here signs
// anything, and a bundle that is verified here leaves this machine never.

import { h, put, shown, plain, count, many, moment } from './dom.js';
import { get, may } from './api.js';
import { table, facts } from './table.js';
import { failure } from './dialog.js';
import { verify } from './bundle.js';
import { head, section, print, paged } from './parts.js';

const command = (line) => h('pre', { class: 'command', tabindex: '0' }, h('code', null, line));

// Bytes of a bundle that are verified here, and files of it.
const MOST_BYTES = 64 << 20;
const MOST_FILES = 4000;

// Reads a directory that was chosen, verifies it under the key, and says what was found.
async function verified(chosen, keyFile) {
  if (chosen.length === 0 || !keyFile) throw new Error('expected the directory of a bundle, and the public key of whoever signed it');
  const bytes = chosen.reduce((sum, file) => sum + file.size, 0);
  if (chosen.length > MOST_FILES || bytes > MOST_BYTES)
    throw new Error(
      `${many(chosen.length, 'file', 'files')} of ${count(bytes)} bytes: at most ${count(MOST_FILES)} of ${count(MOST_BYTES)} are verified here`,
    );
  const files = new Map();
  for (const file of chosen) {
    const path = file.webkitRelativePath || file.name;
    files.set(path.includes('/') ? path.slice(path.indexOf('/') + 1) : path, new Uint8Array(await file.arrayBuffer()));
  }
  const found = await verify(files, await keyFile.text());
  return h(
    'div',
    { role: 'status' },
    h('p', { class: 'fine' }, h('b', null, 'Verified. '), `Every byte of ${many(found.files.length, 'file', 'files')} is as the signer left it.`),
    facts(
      [
        ['Made', shown(found.made, { most: 60 })],
        ['Root of its files', h('span', { class: 'mono break' }, found.tree)],
        ['Name of the key', h('span', { class: 'mono break' }, found.key), 'compare it with what the signer told you'],
        ['Timestamp', found.timestamp ? 'vouched for by the signer; check its authority on the command line' : 'none'],
      ],
      'terms',
    ),
    table({
      name: 'bundle',
      caption: 'Files of the bundle',
      rows: found.files,
      most: 12,
      columns: [
        { head: 'File', rowhead: true, wide: true, value: (f) => f.name, show: (f) => h('span', { class: 'mono' }, shown(f.name, { most: 100 })) },
        { head: 'Bytes', n: true, value: (f) => f.bytes },
        { head: 'BLAKE3', value: (f) => f.blake3, show: (f) => h('span', { class: 'mono' }, plain(f.blake3, 16)) },
      ],
    }),
  );
}

function verifier() {
  const out = h('div', { 'aria-live': 'polite' }),
    bundle = h('input', { type: 'file', id: 'bundle', webkitdirectory: true, multiple: true }),
    key = h('input', { type: 'file', id: 'public-key', accept: '.pem' });
  const form = h(
    'form',
    {
      class: 'filters noprint',
      onsubmit: async (event) => {
        event.preventDefault();
        out.replaceChildren();
        out.setAttribute('aria-busy', 'true');
        try {
          put(out, await verified([...bundle.files], key.files[0]));
        } catch (cause) {
          put(
            out,
            failure({
              message: cause.step ? `not verified: ${cause.step}: ${cause.message}` : cause.message,
              hint: cause.step
                ? 'Nothing of this bundle counts before every step passes.'
                : 'An archive is unpacked first: tar --zstd -xf BUNDLE.tar.zst',
            }),
          );
        } finally {
          out.removeAttribute('aria-busy');
        }
      },
    },
    h('div', { class: 'field' }, h('label', { for: 'bundle' }, 'Directory of the bundle'), bundle),
    h('div', { class: 'field' }, h('label', { for: 'public-key' }, 'Public key (PEM)'), key),
    h('button', { type: 'submit', class: 'act' }, 'Verify here'),
  );
  return section(
    'Verify a bundle',
    'This browser reads the files and sends them nowhere: signature, statement, manifest, every file, the root of their tree. Numbers are computed again by the command line alone.',
    form,
    out,
  );
}

// Whether a chain is whole, when the server looked, and how to ask that without this server.
const whole = ({ faults = [], head: end }, line, when) =>
  faults.length > 0
    ? h(
        'ul',
        { class: 'warn list' },
        faults.map((fault) => h('li', null, shown(fault, { most: 300 }))),
      )
    : h('p', { class: 'fine' }, `The chain is whole: ${many(end?.row ?? 0, 'row', 'rows')}, ${when}. `, h('code', null, line), ' asks the same without this server.');

// A command and its arguments, none of which is broken at its hyphens.
const words = (row) => [row.command, ...(row.arguments ?? [])];

export async function view({ signal }) {
  const asked = { signal, query: { limit: 100 } };
  const custody = may('custody') ? await get('/custody', asked) : null;
  const access = may('log') ? await get('/log', asked) : null;
  const pageOf = (path) => async (cursor) => get(path, { query: { limit: 500, cursor } });
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
                ['acts', count(head_?.row ?? 0)],
                ['last act, UTC', rows.length ? moment(time(rows[0])) : '–'],
              ],
              'strip',
            ),
            section(
              'Chain of custody',
              'The newest act first. Each row holds the digest of the row before it, so a row that is removed, edited or moved is found.',
              whole(custody, 'stillhunt evidence custody verify', 'checked just now'),
              paged({
                rows,
                next: custody.next,
                all: head_?.row,
                ask: pageOf('/custody'),
                drawn: (rows) =>
                  table({
                    name: 'custody',
                    caption: 'Chain of custody',
                    rows,
                    most: rows.length > 100 ? rows.length : 50,
                    empty: 'Nothing was done to this store.',
                    columns: [
                      { head: 'Act', n: true, value: (r) => r.row },
                      { head: 'Time, UTC', soft: true, value: time, show: (r) => moment(time(r)) },
                      { head: 'By', value: (r) => r.author, show: (r) => shown(r.author, { most: 40 }) },
                      {
                        head: 'What',
                        rowhead: true,
                        wide: true,
                        value: (r) => words(r).join(' '),
                        show: (r) =>
                          h(
                            'span',
                            { class: 'mono words' },
                            words(r)
                              .slice(0, 20)
                              .map((word) => [shown(word, { most: 120 }), ' ']),
                            words(r).length > 20 && `… and ${count(words(r).length - 20)} more`,
                          ),
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
                'Who read or revealed what through this desk, the newest row first. It is a chain of its own.',
                whole(access, 'stillhunt serve log verify', 'each checked when this server first read it'),
                paged({
                  rows: access.rows ?? [],
                  next: access.next,
                  all: access.head?.row,
                  ask: pageOf('/log'),
                  drawn: (rows) =>
                    table({
                      name: 'access-log',
                      caption: 'Access log',
                      rows,
                      most: rows.length > 100 ? rows.length : 30,
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
                }),
              ),
          ]
        : section('Chain of custody', null, h('p', { class: 'empty' }, 'The chain of custody is shown to analysts and administrators.')),
      verifier(),
      section(
        'A bundle for a third party',
        'A bundle holds inputs by digest, configuration, statistics with nulls and number of tests, and is signed. It is made where the signing key is, which is not this server.',
        command(
          'stillhunt ring RING --store DIR --format json > ring.json\nstillhunt evidence bundle ring.json --store DIR --out BUNDLE --sign sign.pem',
        ),
        h('p', null, 'Whoever receives it verifies every byte, here or on the command line, and computes every number again:'),
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
