// Where in the text: what `watermark detect --where` named, document by document, drawn as strips.
//
// The idea: a strip is a document from its first token to its last, its spans marked; numbers stand in the table under it.
// Weakness: strips are of the first documents only, the table of all that the file lists. Guarantee: no text of a document is
// shown, since a result holds none, and no number of it is computed again.

import { h, s, put, shown, plain, count, many, decimal } from './dom.js';
import { table } from './table.js';
import { figure } from './chart.js';
import { section } from './parts.js';

const STRIPS = 8;
// Spans of a document in words, and at all: as many as a result lists.
const SPANS = 4;
const MOST_SPANS = 16;
const MOST = 1000;
const ROW = 36;

const number = (x) => typeof x === 'number' && Number.isFinite(x);
const range = (of) => `${count(of[0])} to ${count(of[1])}`;
const pair = (of) => Array.isArray(of) && of.length === 2 && of.every(number);
const listed = (of) => (Array.isArray(of) ? of.filter((one) => one && typeof one === 'object') : []);

// The documents of a test that have the numbers which are drawn, whoever wrote the file.
const documentsOf = (test) =>
  listed(test.where?.list)
    .slice(0, MOST)
    .map((one) => ({
      ...one,
      key: test.key,
      file: test.file,
      name: plain(typeof one.name === 'string' ? one.name : `document ${number(one.document) ? one.document : ''}`, 60),
      tokens: number(one.tokens) ? Math.max(1, one.tokens) : 1,
      spans: listed(one.spans)
        .filter((span) => pair(span.tokens))
        .slice(0, MOST_SPANS),
    }));

const words = (span) =>
  `tokens ${range(span.tokens)}${pair(span.characters) ? `, characters ${range(span.characters)}` : ''}: log10 p ${decimal(span.log10_p)}, adjusted ${decimal(span.adjusted_log10_p)}`;

function strips(documents, several, keys) {
  const name = (one) => [one.name, keys && one.key, several && one.file].filter(Boolean).join(' · ');
  const drawn = documents.filter((one) => one.named).slice(0, STRIPS),
    left = documents.filter((one) => one.named).length - drawn.length;
  if (drawn.length === 0) return null;
  return figure({
    title: 'Where the mark stands',
    name: 'watermark-where',
    note: `a strip: a named document from its first token to its last; filled: its spans${left > 0 ? `; ${many(left, 'document', 'documents')} not drawn` : ''}`,
    label: drawn.map((one) => `${name(one)}: ${one.spans.slice(0, SPANS).map(words).join('; ')}`).join('. '),
    draw: (width) => {
      const marks = drawn.flatMap((one, i) => {
        const x = (token) => (Math.min(one.tokens, Math.max(0, token)) / one.tokens) * width,
          top = i * ROW;
        return [
          s(
            'text',
            { class: 'tick strong', x: 0, y: top + 12 },
            plain(`${name(one)} · ${many(one.tokens, 'token', 'tokens')} · adjusted ${decimal(one.adjusted_log10_p)}`, Math.floor(width / 6.2)),
          ),
          s('rect', { class: 'band', x: 0, y: top + 17, width, height: 11 }),
          ...one.spans.map((span) =>
            put(
              s('rect', { class: 'bar', x: x(span.tokens[0]), y: top + 17, width: Math.max(1, x(span.tokens[1]) - x(span.tokens[0])), height: 11 }),
              s('title', null, words(span)),
            ),
          ),
        ];
      });
      return { height: drawn.length * ROW, marks };
    },
  });
}

// The section of all tests that looked for places; null where none did.
export function where(tests) {
  const looked = tests.filter((test) => test.where && typeof test.where === 'object');
  if (looked.length === 0) return null;
  const documents = looked.flatMap(documentsOf),
    several = new Set(looked.map((test) => test.file)).size > 1,
    keys = new Set(looked.map((test) => test.key)).size > 1,
    posterior = looked.find((test) => test.where.posterior_is)?.where.posterior_is,
    all = (of) => [...new Set(looked.map((test) => test.where[of]).filter((text) => typeof text === 'string'))];
  return section(
    'Where',
    null,
    looked.map((test) =>
      h(
        'p',
        null,
        (several || keys) && [h('b', null, shown(test.key, { most: 40 })), several && [' in ', shown(test.file, { most: 60 })], ': '],
        `${count(test.where.named)} of ${many(test.where.documents, 'document', 'documents')} named; `,
        shown(test.where.rule, { most: 300 }),
        `; ${many(test.where.spans, 'span', 'spans')} looked at, ${many(test.where.m_tests, 'test', 'tests')}`,
        test.where.named_not_listed > 0 && `; ${count(test.where.named_not_listed)} of the named are not listed in the file`,
        '.',
      ),
    ),
    strips(documents, several, keys),
    table({
      name: 'watermark-where',
      caption: 'Documents and spans',
      rows: documents,
      most: 30,
      empty: 'No document is listed.',
      columns: [
        ...(several ? [{ head: 'File', value: (d) => d.file, show: (d) => shown(d.file, { most: 60 }) }] : []),
        ...(keys ? [{ head: 'Key', value: (d) => d.key, show: (d) => shown(d.key, { most: 40 }) }] : []),
        { head: 'Document', rowhead: true, value: (d) => d.name, show: (d) => shown(d.name, { most: 60 }) },
        { head: 'Named', value: (d) => (d.named ? 'named' : 'not named') },
        { head: 'Tokens', n: true, value: (d) => d.tokens },
        { head: 'log₁₀ p', n: true, value: (d) => d.log10_p, show: (d) => decimal(d.log10_p) },
        { head: 'adjusted', n: true, value: (d) => d.adjusted_log10_p, show: (d) => decimal(d.adjusted_log10_p) },
        ...(posterior ? [{ head: 'Posterior', n: true, value: (d) => d.posterior, show: (d) => decimal(d.posterior, 4) }] : []),
        {
          head: 'Spans',
          wide: true,
          value: (d) => d.spans.map(words).join('; '),
          show: (d) => [
            d.spans.slice(0, SPANS).map((span, i) => [i > 0 && h('br'), words(span)]),
            d.spans.length > SPANS && [h('br'), `and ${count(d.spans.length - SPANS)} more`],
          ],
        },
      ],
    }),
    h(
      'p',
      { class: 'soft' },
      'Null hypothesis of each document: ',
      shown(all('null_hypothesis').join('; or '), { most: 300 }),
      '. How p is made: ',
      shown(all('method').join('; or '), { most: 800 }),
      posterior && ['. Posterior: ', shown(posterior, { most: 400 })],
      '. The ends of a span are known to about a tenth of its length.',
    ),
  );
}
