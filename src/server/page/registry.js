// The registry: known innocent texts and gateways, and what the program suggests for it.
//
// The idea: a suggestion is confirmed in one click and one sentence, its provenance, since an entry takes evidence away and
// must be accounted for. Weakness: an entry counts from the next audit on. Guarantee: nothing is registered by itself.

import { h, shown, plain, link, count, many, moment, LINE } from './dom.js';
import { get, post, remove, may } from './api.js';
import { table } from './table.js';
import { ask, failure } from './dialog.js';
import { head, section, print, paged } from './parts.js';
import * as words from './words.js';

const kindField = (value) => ({ name: 'kind', label: 'Kind', kind: 'select', value, options: Object.entries(words.kinds) });
const provenance = {
  name: 'provenance',
  label: 'Provenance',
  required: true,
  hint: 'Where it is known from: an address, a contract, a ticket.',
  maxlength: '1000',
};

function add(again, { title, name = '', kind = 'app', what = null, intro }) {
  ask({
    title,
    act: 'Register',
    intro,
    fields: [
      { name: 'name', label: 'Name', value: name, required: true, maxlength: '200' },
      kindField(kind),
      provenance,
      ...(what === null ? [{ name: 'text', label: 'Text, or of a gateway its account', kind: 'area', required: true }] : []),
    ],
    submit: async (given) => {
      const body = what === null ? { ...given } : { ...given, ...what };
      if (given.kind === 'gateway' && what === null) {
        body.account = given.text;
        delete body.text;
      }
      await post('/registry', body);
      await again();
      return null;
    },
  });
}

// What may be an app that nobody registered, each with the button that confirms it.
const suggested = (candidates, again) =>
  table({
    name: 'suggested',
    caption: 'Suggested entries',
    most: 20,
    rows: candidates,
    empty: 'Nothing is suggested.',
    columns: [
      {
        head: 'Text',
        rowhead: true,
        wide: true,
        value: (c) => c.template,
        show: (c) => shown(c.template, { most: LINE * 2, bytes: c.template_bytes }),
      },
      {
        head: 'Confirm',
        fixed: true,
        value: () => '',
        show: (c) =>
          h(
            'button',
            {
              type: 'button',
              class: 'act small',
              'aria-label': `Confirm ${c.family_id}`,
              onclick: () =>
                add(again, {
                  title: 'Confirm as innocent',
                  name: `app of ${c.family_id}`,
                  what: { digest: c.digest },
                  intro: `${many(c.accounts, 'account', 'accounts')} sent it. It is registered by the digest of its text, ${c.digest.slice(0, 12)}…; from the next audit on it is no evidence of a ring.`,
                }),
            },
            'Confirm',
          ),
      },
      { head: 'Family', value: (c) => c.family_id, show: (c) => link(c.family_id) },
      { head: 'Accounts', n: true, value: (c) => c.accounts },
      { head: 'Why', wide: true, value: (c) => c.why, show: (c) => shown(c.why, { most: 300 }) },
    ],
  });

export async function view({ signal, again }) {
  if (!may('registry'))
    return {
      title: 'Registry',
      nodes: [
        head('Registry', 'Known innocent texts', 'What is registered is no evidence of a ring, from the next audit on.'),
        h('p', { class: 'empty' }, 'The registry is shown to analysts and administrators.'),
      ],
    };
  const list = await get('/registry', { signal, query: { limit: 200 } });
  const entries = list.entries ?? [];
  const others = async (cursor) => {
    const page = await get('/registry', { query: { limit: 200, cursor } });
    return { rows: page.entries, next: page.next };
  };
  // Suggestions are made anew for each question, from all families: the entries do not wait for them.
  const proposed = h('div', { 'aria-busy': 'true' }, h('p', { class: 'waiting', role: 'status' }, 'Looking for texts that an app may send …'));
  const later = get('/registry/suggest', { signal })
    .then(
      ({ candidates = [] }) => proposed.replaceChildren(suggested(candidates, again)),
      (cause) => {
        if (cause.name !== 'AbortError') proposed.replaceChildren(failure(cause));
      },
    )
    .finally(() => proposed.removeAttribute('aria-busy'));
  return {
    title: 'Registry',
    later,
    nodes: [
      head(
        'Registry',
        'Known innocent texts',
        'What is registered is no evidence of a ring, from the next audit on.',
        h(
          'button',
          {
            type: 'button',
            class: 'act',
            onclick: () =>
              add(again, {
                title: 'Register a text or a gateway',
                intro: 'Give the text as it is known, or of a gateway the pseudonym of its account.',
              }),
          },
          'Register',
        ),
        print(),
      ),
      section(
        'Suggested',
        'Texts that are sent day after day by accounts that behave like people: most likely an app that nobody registered. Look at the family before you confirm.',
        proposed,
      ),
      section(
        'Entries',
        null,
        paged({
          rows: entries,
          next: list.next,
          all: list.total,
          ask: others,
          drawn: (rows) =>
            table({
              name: 'registry',
              caption: 'Registry',
              rows,
              most: rows.length,
              empty: 'The registry has no entries. While it is empty, no ring can pass the rung “provenance”.',
              columns: [
                { head: 'Name', rowhead: true, value: (e) => e.name, show: (e) => shown(e.name, { most: 80 }) },
                { head: 'Kind', value: (e) => e.kind, show: (e) => words.say(words.kinds, e.kind) },
                { head: 'Provenance', wide: true, value: (e) => e.provenance, show: (e) => shown(e.provenance || '–', { most: 200 }) },
                { head: 'By', value: (e) => e.author, show: (e) => shown(e.author ?? '–', { most: 40 }) },
                { head: 'Registered', soft: true, value: (e) => e.added, show: (e) => moment(e.added) },
                {
                  head: 'What',
                  wide: true,
                  value: (e) => e.what?.text ?? e.what?.digest ?? e.what?.account,
                  show: (e) =>
                    e.what?.account ? link(e.what.account) : shown(e.what?.text ?? e.what?.digest ?? null, { most: LINE, bytes: e.what?.text_bytes }),
                },
                ...(may('unregister')
                  ? [
                      {
                        head: 'Remove',
                        fixed: true,
                        value: () => '',
                        show: (e) =>
                          h(
                            'button',
                            {
                              type: 'button',
                              class: 'plain',
                              'aria-label': `Remove ${plain(e.name, 60)}`,
                              onclick: () =>
                                ask({
                                  title: 'Remove this entry',
                                  act: 'Remove',
                                  danger: true,
                                  fields: [],
                                  intro: 'All entries of this name are removed. From the next audit on their texts are evidence again.',
                                  submit: async () => {
                                    await remove('/registry', { query: { name: e.name } });
                                    await again();
                                    return null;
                                  },
                                }),
                            },
                            'Remove',
                          ),
                      },
                    ]
                  : []),
              ],
            }),
        }),
        entries.length > 0 && h('p', { class: 'soft' }, many(list.total, 'entry', 'entries'), '.'),
      ),
    ],
  };
}
