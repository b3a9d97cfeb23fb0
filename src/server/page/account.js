// One account: its rings, its families, its hours, and with whom it shares.
//
// The idea: an account is a pseudonym until somebody says why they need the name. Weakness: parts that the answer lacks are
// left out. Guarantee: the name is on no page; a reveal is logged first.

import { h, shown, link, count, decimal, percent, span, PARAGRAPH } from './dom.js';
import { get, may } from './api.js';
import { table, facts } from './table.js';
import { bars } from './chart.js';
import { reveal, withheld } from './dialog.js';
import { head, section, print } from './parts.js';
import * as words from './words.js';

export async function view({ id, signal }) {
  if (!may('account'))
    return {
      title: 'Account',
      nodes: [head('Account', 'Accounts are withheld for your role', 'Analysts and administrators see them, by their pseudonyms.')],
    };
  const a = await get(`/accounts/${id}`, { signal });
  const account = a.account ?? id,
    rings = a.rings ?? [],
    families = a.families ?? [];
  const models = (a.models ?? []).map((m) => (Array.isArray(m) ? { model: m[0], requests: m[1] } : m));
  const raw = families.some((f) => typeof f.prompt === 'string');
  const hours = a.hours?.length === 24 ? a.hours.map((n, i) => ({ label: String(i).padStart(2, '0'), value: n })) : null;
  return {
    title: `Account ${account}`,
    nodes: [
      head(
        'Account',
        h('span', { class: 'mono' }, account),
        'A keyed pseudonym. Its name can be revealed for a purpose, which is logged.',
        reveal('account', account, 'Reveal its name'),
        print(),
      ),
      facts(
        [
          ['requests', count(a.requests), a.trivial_requests ? `${count(a.trivial_requests)} of trivial text` : null],
          ['distinct prompts', count(a.distinct_prompts)],
          ['families listed', count(families.length)],
          ['rings', count(rings.length)],
          ['seen', span(a.first_seen, a.last_seen)],
        ],
        'strip',
      ),
      section(
        'Rings',
        null,
        table({
          name: `${account}-rings`,
          caption: 'Rings of this account',
          rows: rings,
          empty: 'This account is in no ring.',
          columns: [
            { head: 'Ring', rowhead: true, value: (r) => r.ring_id ?? r.id, show: (r) => link(r.ring_id ?? r.id) },
            { head: 'Rung', value: (r) => r.rung, show: (r) => words.rung[r.rung]?.[0] ?? r.rung },
            { head: 'Membership', n: true, value: (r) => r.membership, show: (r) => percent(r.membership, 1) },
            { head: 'Γ*', n: true, value: (r) => r.gamma_star, show: (r) => decimal(r.gamma_star, 0) },
            { head: 'Confirmed', soft: true, value: (r) => r.confirmed_night },
            { head: 'Last listed', soft: true, value: (r) => r.last, show: (r) => r.last ?? 'on the list' },
          ],
        }),
        rings.length > 0 && h('p', { class: 'soft' }, words.NO_GUILT),
      ),
      hours &&
        section(
          'Hours',
          'Of its texts that were sent more than once, by whomever: how many were first sent in each hour of the day, UTC, each counted once a day. People sleep; a queue may not.',
          bars({ title: 'Texts by hour', name: `${account}-hours`, values: hours }),
        ),
      section(
        'Families',
        ['What it sent that others sent too, or sent alike.', !raw && families.length > 0 && [' ', withheld()]],
        table({
          name: `${account}-families`,
          caption: 'Families of this account',
          rows: families,
          most: 60,
          empty: 'Nothing that it sent is in a family.',
          columns: [
            { head: 'Family', rowhead: true, value: (f) => f.family_id ?? f.id, show: (f) => link(f.family_id ?? f.id) },
            ...(raw
              ? [{ head: 'Prompt', wide: true, value: (f) => f.prompt, show: (f) => shown(f.prompt, { most: PARAGRAPH / 5, bytes: f.prompt_bytes }) }]
              : []),
            { head: 'Requests', n: true, value: (f) => f.requests },
            { head: 'Accounts of the family', n: true, value: (f) => f.accounts },
          ],
        }),
      ),
      Array.isArray(a.shares_with) &&
        section(
          'With whom it shares',
          'Accounts that use most of the same families, of those that few accounts use. Sharing is no evidence by itself.',
          table({
            name: `${account}-shares`,
            caption: 'Accounts that share families with it',
            rows: a.shares_with,
            empty: 'It shares no family with another account.',
            columns: [
              { head: 'Account', rowhead: true, wide: true, value: (s) => s.account, show: (s) => link(s.account) },
              { head: 'Families in common', n: true, value: (s) => s.families },
            ],
          }),
        ),
      models.length > 0 &&
        section(
          'Models',
          null,
          table({
            name: `${account}-models`,
            caption: 'Models asked',
            rows: models,
            columns: [
              { head: 'Model', rowhead: true, wide: true, value: (m) => m.model, show: (m) => shown(m.model, { most: 80 }) },
              ...(models.some((m) => m.requests !== undefined) ? [{ head: 'Requests', n: true, value: (m) => m.requests }] : []),
            ],
          }),
        ),
    ],
  };
}
