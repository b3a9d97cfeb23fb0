// Questions that are kept: a list with its filters, or a search, under a name, for oneself or for everybody.
//
// The idea: what is kept is the question, not its answer, and opening it is going to its address. Weakness: a search is kept
// with its text as far as the server takes it. Guarantee: a kept text is shown for a purpose only, as every other.

import { h, shown, count, moment, LINE } from './dom.js';
import { every, post, remove, me, may } from './api.js';
import { table } from './table.js';
import { ask, failure, withheld } from './dialog.js';

const OF = {
  families: { name: 'Families', path: '/families', address: (given) => given },
  rings: { name: 'Rings', path: '/rings', address: (given) => given },
  similar: { name: 'Search', path: '/search', address: ({ text, ...more }) => ({ q: text, ...more }) },
};

// A button that keeps the question of a view: `given()` is what its route takes.
export const keepButton = (asks, given) =>
  may('save') &&
  h(
    'button',
    {
      type: 'button',
      class: 'plain noprint',
      onclick: () =>
        ask({
          title: 'Keep this question',
          act: 'Keep',
          intro: 'It is listed under Cases; its answer is that of the night on which it is opened.',
          fields: [
            { name: 'name', label: 'Name', required: true, maxlength: '200' },
            {
              name: 'shared',
              label: 'For',
              kind: 'select',
              value: '',
              options: [
                ['', 'myself'],
                ['yes', 'everybody at this desk'],
              ],
            },
          ],
          submit: async ({ name, shared }) => {
            await post('/saved', { name, shared: shared === 'yes', [asks]: given() });
            return h('p', null, 'Kept. ', h('a', { href: '/cases' }, 'All kept questions'), ' stand under Cases.');
          },
        }),
    },
    'Keep this question',
  );

function addressOf(one) {
  const of = OF[one.asks];
  if (!of) return null;
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(of.address(one.given ?? {})))
    if (!name.endsWith('_bytes') && value !== null && value !== undefined) asked.set(name, String(value));
  return `${of.path}${asked.size ? `?${asked}` : ''}`;
}

// What each value of a question says.
const SAID = {
  k: 'prompts at most',
  since: 'since',
  until: 'before',
  from_night: 'from night',
  to_night: 'to night',
  model: 'served model',
  least_percent: 'similarity in % at least',
  accounts: 'accounts at least',
  stratum: 'registered text',
  new: 'new tonight',
  trivial: 'trivial texts too',
  rung: 'rung at or above',
};
const told = (given) =>
  Object.entries(given ?? {})
    .filter(([name, value]) => !name.startsWith('text') && value !== null)
    .map(([name, value]) => (value === true ? (SAID[name] ?? name) : `${SAID[name] ?? name} ${String(value).replace(/T00:00:00Z$/, '')}`))
    .join(', ');

export async function list(signal, again) {
  const saved = await every('/saved', 'saved', { limit: 500 }, signal);
  return table({
    name: 'questions',
    caption: 'Kept questions',
    rows: saved,
    key: (one) => one.id,
    empty: 'No question is kept. Search, Families and Rings have a button that keeps what is asked there.',
    columns: [
      {
        head: 'Name',
        rowhead: true,
        value: (one) => one.name,
        show: (one) =>
          one.asks === 'similar' && typeof one.given?.text !== 'string'
            ? shown(one.name, { most: 80 })
            : h('a', { href: addressOf(one) ?? '/' }, shown(one.name, { most: 80 })),
      },
      { head: 'Asks', value: (one) => OF[one.asks]?.name ?? one.asks },
      {
        head: 'With',
        wide: true,
        value: (one) => [one.given?.text, told(one.given)].filter(Boolean).join('; '),
        show: (one) => [
          one.asks === 'similar' &&
            (typeof one.given?.text === 'string' ? shown(one.given.text, { most: LINE, bytes: one.given.text_bytes }) : withheld()),
          one.asks === 'similar' && told(one.given) && ' ',
          h('span', { class: 'soft' }, shown(told(one.given) || (one.asks === 'similar' ? '' : 'no filter'), { most: LINE })),
        ],
      },
      { head: 'By', value: (one) => one.author, show: (one) => shown(one.author, { most: 40 }) },
      { head: 'For', value: (one) => (one.shared ? 'everybody' : 'myself') },
      { head: 'Kept, UTC', soft: true, value: (one) => one.time, show: (one) => moment(one.time) },
      {
        head: 'Remove',
        fixed: true,
        value: () => '',
        show: (one) =>
          (one.author === me.name || may('unregister')) &&
          h(
            'button',
            {
              type: 'button',
              class: 'plain',
              'aria-label': `Remove question ${count(one.id)}`,
              onclick: async (event) => {
                const place = event.target.parentElement;
                try {
                  await remove(`/saved/${one.id}`);
                  await again();
                } catch (cause) {
                  place.replaceChildren(failure(cause));
                }
              },
            },
            'Remove',
          ),
      },
    ],
  });
}
