// Search: paste a prompt, see who sent what is like it.
//
// The idea: the address holds the question, and the answer follows while it is typed. Weakness: a prompt that is longer than
// an address should be (1,500 characters) is searched, but only its beginning is in the address. Guarantee: an answer that
// was overtaken by a newer question is dropped.

import { h, shown, link, count, many, decimal, moment, PARAGRAPH } from './dom.js';
import { post, may } from './api.js';
import { table } from './table.js';
import { histogram } from './chart.js';
import { field, failure, reveal, withheld } from './dialog.js';
import { head, section, print } from './parts.js';
import { keepButton } from './saved.js';

const ADDRESS = 1500;
const FILTERS = ['k', 'since', 'until', 'from_night', 'to_night', 'model', 'account', 'family', 'least_percent'];
const NUMBERS = ['from_night', 'to_night', 'least_percent'];
const MOMENTS = ['since', 'until'];

// Offsets of the answer count bytes of UTF-8; the page marks characters.
function characters(text, ranges) {
  if (!ranges?.length) return [];
  const at = new Map();
  let bytes = 0,
    n = 0;
  for (const c of text) {
    at.set(bytes, n);
    const code = c.codePointAt(0);
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    n += 1;
  }
  at.set(bytes, n);
  return ranges.filter(([from, to]) => at.has(from) && at.has(to)).map(([from, to]) => [at.get(from), at.get(to), null]);
}

export async function view({ query, replace, signal }) {
  const q = query.get('q') ?? '';
  const out = h('div', { 'aria-live': 'polite', class: 'results' });
  const area = field({
    name: 'q',
    label: 'Prompt',
    kind: 'area',
    value: q,
    hint: 'Paste a prompt or part of one. The answer follows while you type.',
    spellcheck: 'false',
  });
  const form = h(
    'form',
    {
      class: 'search',
      onsubmit: (event) => {
        event.preventDefault();
        run();
      },
      oninput: () => soon(),
    },
    area,
    h(
      'div',
      { class: 'filters' },
      field({ name: 'k', label: 'Prompts, at most', kind: 'number', value: query.get('k') ?? '20', min: '1', max: '100' }),
      field({ name: 'since', label: 'Since', kind: 'date', value: (query.get('since') ?? '').slice(0, 10) }),
      field({ name: 'until', label: 'Before', kind: 'date', value: (query.get('until') ?? '').slice(0, 10) }),
      field({ name: 'model', label: 'Served model', value: query.get('model') ?? '', maxlength: '200' }),
      may('account') && field({ name: 'account', label: 'Account', value: query.get('account') ?? '', maxlength: '200' }),
      h(
        'details',
        { class: 'more', open: ['family', 'least_percent', 'from_night', 'to_night'].some((name) => query.get(name)) },
        h('summary', null, 'More filters'),
        h(
          'div',
          { class: 'filters' },
          field({ name: 'family', label: 'Family', value: query.get('family') ?? '', maxlength: '40' }),
          field({
            name: 'least_percent',
            label: 'Similarity, at least, in %',
            kind: 'number',
            value: query.get('least_percent') ?? '',
            min: '0',
            max: '100',
          }),
          field({ name: 'from_night', label: 'From night', kind: 'number', value: query.get('from_night') ?? '', min: '1' }),
          field({ name: 'to_night', label: 'To night', kind: 'number', value: query.get('to_night') ?? '', min: '1' }),
        ),
      ),
    ),
    h(
      'div',
      { class: 'acts noprint' },
      h('button', { type: 'submit', class: 'act' }, 'Search'),
      keepButton('similar', () => asked(given())),
    ),
  );
  let timer = 0,
    running = null;
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(run, 250);
  };
  signal.addEventListener('abort', () => {
    clearTimeout(timer);
    running?.abort();
  });

  const given = () => Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value).trimEnd()]));
  // What the form says, as the server takes it.
  const asked = (said) => ({
    text: said.q,
    k: Math.min(100, Math.max(1, Number(said.k) || 20)),
    ...Object.fromEntries(
      ['since', 'until', 'model', 'account', 'family']
        .filter((name) => said[name])
        .map((name) => [name, MOMENTS.includes(name) ? `${said[name]}T00:00:00Z` : said[name]]),
    ),
    ...Object.fromEntries(NUMBERS.filter((name) => said[name]).map((name) => [name, Number(said[name])])),
  });

  async function run() {
    clearTimeout(timer);
    running?.abort();
    const mine = (running = new AbortController());
    const said = given();
    const url = new URLSearchParams();
    if (said.q) url.set('q', [...said.q.slice(0, 2 * ADDRESS)].slice(0, ADDRESS).join(''));
    for (const name of FILTERS) if (said[name] && !(name === 'k' && said.k === '20')) url.set(name, said[name]);
    replace(`/search${url.size ? `?${url}` : ''}${location.hash}`, said.q.trim() ? 'Search: ' + said.q : 'Search');
    if (!said.q.trim()) {
      out.replaceChildren(
        h('p', { class: 'empty' }, 'Nothing is searched for yet. ', h('kbd', null, '/'), ' brings you to this field from anywhere.'),
      );
      return;
    }
    out.setAttribute('aria-busy', 'true');
    try {
      const answer = await post('/similar', asked(said), { signal: mine.signal });
      if (!mine.signal.aborted) draw(answer);
    } catch (cause) {
      if (cause.name !== 'AbortError') out.replaceChildren(failure(cause));
    } finally {
      if (running === mine) out.removeAttribute('aria-busy');
    }
  }

  function draw(answer) {
    const hits = answer.hits ?? [];
    const accounts = new Set(hits.flatMap((hit) => [hit.account, ...(hit.account_ids ?? [])]).filter(Boolean));
    const notes =
      (answer.notes ?? []).length > 0 &&
      h(
        'ul',
        { class: 'list soft' },
        answer.notes.map((note) => h('li', null, shown(note, { most: 300 }))),
      );
    if (hits.length === 0) {
      out.replaceChildren(h('p', { class: 'empty' }, 'No prompt in this store is like it.'), ...[notes].filter(Boolean));
      return;
    }
    const accepted = hits.filter((hit) => hit.accepted).length;
    const raw = hits.some((hit) => typeof hit.text === 'string');
    const result = h(
      'div',
      null,
      h(
        'p',
        null,
        h('b', null, many(hits.length, 'prompt', 'prompts')),
        accounts.size > 0 ? `, nearest first, from at least ${many(accounts.size, 'account', 'accounts')}.` : ', nearest first.',
        hits.some((hit) => hit.accepted !== undefined) && ` The family rule accepts ${count(accepted)} of them.`,
      ),
      notes,
      histogram({
        title: 'Similarity of these prompts',
        note: 'cosine, higher is nearer',
        name: 'similarity',
        values: hits.map((hit) => hit.similarity),
        from: Math.min(0, ...hits.map((hit) => Math.floor(hit.similarity * 10) / 10)),
        to: 1,
      }),
      h(
        'ol',
        { class: 'hits' },
        hits.map((hit, i) => {
          const text = hit.text,
            exchange = hit.exchange ?? hit.exchange_id,
            others = (hit.account_ids ?? []).filter((id) => id !== hit.account);
          return h(
            'li',
            { 'data-row': `hits/${i}` },
            h(
              'div',
              { class: 'score' },
              h('b', null, decimal(hit.similarity, 3)),
              h('small', null, hit.accepted ? 'accepted' : hit.accepted === false ? 'not accepted' : ''),
            ),
            h(
              'div',
              null,
              h(
                'p',
                { class: 'hit' },
                raw
                  ? shown(text, {
                      most: PARAGRAPH / 2,
                      lines: true,
                      bytes: hit.text_bytes,
                      spans: text ? characters(text.slice(0, PARAGRAPH), hit.shared) : [],
                    })
                  : withheld(),
              ),
              h(
                'p',
                { class: 'meta' },
                hit.account ? ['Account ', link(hit.account), ' · ', moment(hit.time), ' · '] : null,
                hit.requests !== undefined && `${many(hit.requests, 'request', 'requests')} of ${many(hit.accounts, 'account', 'accounts')}`,
                hit.family_id && [' · family ', link(hit.family_id)],
                exchange && [' · exchange ', h('span', { class: 'id' }, shown(exchange, { most: 40 })), ' ', reveal('exchange', exchange)],
              ),
              others.length > 0 &&
                h(
                  'details',
                  null,
                  h(
                    'summary',
                    null,
                    `${many(others.length, 'other account', 'other accounts')}${hit.accounts > others.length + 1 ? ` of ${count(hit.accounts - 1)}` : ''}`,
                  ),
                  h(
                    'p',
                    { class: 'ids' },
                    others.map((id) => [link(id), ' ']),
                  ),
                ),
            ),
          );
        }),
      ),
      h(
        'details',
        { class: 'section' },
        h('summary', null, 'As a table'),
        table({
          name: 'similar',
          caption: 'Similar prompts',
          rows: hits,
          columns: [
            { head: 'Similarity', n: true, value: (x) => x.similarity, show: (x) => decimal(x.similarity, 3) },
            { head: 'Score', n: true, value: (x) => x.score, show: (x) => decimal(x.score, 3) },
            { head: 'Account', rowhead: true, value: (x) => x.account, show: (x) => link(x.account) },
            { head: 'Family', value: (x) => x.family_id, show: (x) => (x.family_id ? link(x.family_id) : '–') },
            { head: 'Requests', n: true, value: (x) => x.requests },
            { head: 'Accounts', n: true, value: (x) => x.accounts },
            { head: 'Time, UTC', soft: true, value: (x) => x.time, show: (x) => moment(x.time) },
            ...(raw ? [{ head: 'Prompt', wide: true, value: (x) => x.text, show: (x) => shown(x.text, { most: 80, bytes: x.text_bytes }) }] : []),
          ],
        }),
      ),
    );
    out.replaceChildren(result);
  }
  const later = run();
  return {
    title: q ? `Search: ${q}` : 'Search',
    focus: 'textarea',
    later,
    nodes: [head('Search', 'Who sent this, or something like it?', null, print()), form, out],
  };
}
