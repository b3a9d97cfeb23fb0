// Watermark: opens the result of a test, and says what it shows and what it does not.
//
// The idea: a test needs keys, and keys are on no server; so the result, which the command line wrote, is opened here and read
// by this browser alone. Weakness: the curve along the corpus is in the chart that `detect --chart` writes, not in the result.
// Guarantee: the file leaves this machine never, and no number of it is computed again.

import { h, s, put, shown, count, many, decimal, percent } from './dom.js';
import { table, facts } from './table.js';
import { figure } from './chart.js';
import { failure } from './dialog.js';
import { head, section, print } from './parts.js';

const MOST_BYTES = 32 << 20;
let last = null;

const VERDICT = {
  Marked: 'The text depends on the key’s mark.',
  NotDetected: 'No mark was found, and one of the stated strength would have been found.',
  Inconclusive: 'Neither is shown.',
};

function drawing(results, alpha) {
  const values = results.slice(0, 24),
    line = Math.log10(alpha ?? 1e-6);
  const low = Math.min(
    line * 1.4,
    ...values.map((r) => Math.max(-60, r.log10_p)),
    ...values.map((r) => Math.max(-60, r.decoys?.quantiles?.[0] ?? 0)),
  );
  return figure({
    title: 'log₁₀ p by key, with the band of its decoys',
    name: 'watermark',
    note: 'band: 5% to 95% of the decoy keys; dashed: the level before adjustment',
    label: values.map((r) => `${r.key_id}: log10 p ${decimal(r.log10_p)}, ${r.verdict}`).join('; '),
    draw: (width) => {
      const left = Math.min(160, width * 0.36),
        right = width - 54,
        row = 26,
        height = values.length * row + 22,
        bottom = height - 18,
        x = (v) => left + (Math.max(low, v) / low) * (right - left);
      const marks = [
        s('line', { class: 'axis', x1: left, x2: left, y1: 0, y2: bottom }),
        s('line', { class: 'limit', x1: x(line), x2: x(line), y1: 0, y2: bottom }),
      ];
      values.forEach((r, i) => {
        const y = i * row,
          q = r.decoys?.quantiles;
        marks.push(s('text', { class: 'tick strong', x: 0, y: y + 17 }, `${String(r.scheme)} ${String(r.key_id ?? '').slice(0, 12)}`));
        if (q)
          marks.push(
            s('rect', { class: 'band', x: x(q[2]), y: y + 4, width: Math.max(2, x(q[0]) - x(q[2])), height: 18 }),
            s('line', { class: 'rule', x1: x(q[1]), x2: x(q[1]), y1: y + 4, y2: y + 22 }),
          );
        marks.push(
          put(s('rect', { class: 'bar', x: x(r.log10_p) - 2, y: y + 3, width: 4, height: 20 }), s('title', null, `log10 p ${r.log10_p}`)),
          s('text', { class: 'tick strong', x: width, y: y + 17, 'text-anchor': 'end' }, decimal(r.log10_p)),
        );
      });
      marks.push(
        s('text', { class: 'tick', x: left, y: height - 4 }, '0'),
        s('text', { class: 'tick', x: x(line), y: height - 4, 'text-anchor': 'middle' }, decimal(line, 0)),
      );
      return { height, marks };
    },
  });
}

function result({ name, value }) {
  const results = value.results ?? [],
    statements = value.statements ?? {},
    parameters = value.parameters ?? {};
  if (!Array.isArray(results) || results.length === 0 || typeof results[0] !== 'object')
    return h(
      'p',
      { class: 'empty' },
      'This file holds no result of a watermark test: expected an object with ',
      h('code', null, 'results'),
      ', as ',
      h('code', null, 'watermark detect --format json'),
      ' prints it.',
    );
  return h(
    'div',
    null,
    facts(
      [
        ['tests', count(results[0].m_tests ?? results.length)],
        ['documents', count(value.input?.documents)],
        ['tokens', count(value.input?.tokens)],
        ['decoy keys', count(results[0].decoys?.n)],
        ['level', parameters.alpha === undefined ? null : `p ≤ ${parameters.alpha}`],
      ],
      'strip',
    ),
    section(
      'Verdicts',
      ['Of ', shown(name, { most: 80 }), '.'],
      table({
        name: 'watermark',
        caption: 'Verdict by key',
        rows: results,
        columns: [
          { head: 'Key', rowhead: true, value: (r) => r.key_id, show: (r) => h('span', { class: 'mono' }, shown(r.key_id, { most: 40 })) },
          { head: 'Scheme', value: (r) => `${r.scheme}, ${r.dialect}`, show: (r) => shown(`${r.scheme}, ${r.dialect}`, { most: 60 }) },
          {
            head: 'Verdict',
            value: (r) => r.verdict,
            show: (r) => [h('b', null, shown(r.verdict, { most: 20 })), ' ', h('span', { class: 'soft' }, VERDICT[r.verdict] ?? '')],
          },
          { head: 'log₁₀ p, adjusted', n: true, value: (r) => r.adjusted_log10_p, show: (r) => decimal(r.adjusted_log10_p) },
          { head: 'Windows scored', n: true, value: (r) => r.scored },
          { head: 'Power', n: true, value: (r) => r.power, show: (r) => percent(r.power, 1) },
          { head: 'Decoys uniform, p', n: true, value: (r) => r.decoys?.uniformity_p, show: (r) => decimal(r.decoys?.uniformity_p, 3) },
        ],
      }),
      drawing(results, parameters.alpha),
    ),
    section(
      'Why',
      null,
      h(
        'ul',
        { class: 'list' },
        results
          .slice(0, 50)
          .map((r) =>
            h(
              'li',
              null,
              shown(r.key_id, { most: 40 }),
              ': ',
              shown(r.rule, { most: 500 }),
              r.method && [' (', shown(r.method, { most: 80 }), ', ', shown(r.p_kind, { most: 20 }), ')'],
            ),
          ),
      ),
    ),
    section(
      'What it shows and what it does not',
      null,
      h(
        'dl',
        { class: 'terms' },
        [
          ['Null hypothesis', statements.null_hypothesis],
          ['Number of tests', `${many(results[0].m_tests ?? results.length, 'test', 'tests')}; adjusted by ${parameters.adjustment ?? 'Holm'}`],
          ['A positive', statements.positive],
          ['A negative', statements.negative],
          ['Decoys', statements.decoys],
          ['Controls', statements.controls],
        ]
          .filter((pair) => pair[1])
          .map(([term, text]) => h('div', null, h('dt', null, term), h('dd', null, shown(text, { most: 900 })))),
      ),
    ),
  );
}

export async function view() {
  const out = h('div', { 'aria-live': 'polite' });
  const input = h('input', {
    type: 'file',
    id: 'result',
    accept: '.json,application/json',
    onchange: async (event) => {
      const file = event.target.files[0];
      if (!file) return;
      try {
        if (file.size > MOST_BYTES) throw new Error(`the file has ${count(file.size)} bytes; at most ${count(MOST_BYTES)} are opened`);
        last = { name: file.name, value: JSON.parse(await file.text()) };
        out.replaceChildren(result(last));
      } catch (cause) {
        out.replaceChildren(
          failure({
            message: cause instanceof SyntaxError ? 'this file is no JSON' : cause.message,
            hint: 'Expected the output of: stillhunt watermark detect … --format json',
          }),
        );
      }
    },
  });
  if (last) put(out, result(last));
  return {
    title: 'Watermark',
    nodes: [
      head(
        'Watermark',
        'Did they train on it?',
        'Opens the result of a test. The file is read by this browser and sent nowhere; keys never come here.',
        print(),
      ),
      h('div', { class: 'field noprint open' }, h('label', { for: 'result' }, 'Result of a test, as JSON'), input),
      out,
      !last &&
        section(
          'How a result is made',
          null,
          h(
            'pre',
            { class: 'command', tabindex: '0' },
            h('code', null, 'stillhunt watermark detect suspect/*.jsonl --key-file KEY.toml --tokenizer TOKENIZER.json --format json > result.json'),
          ),
          h(
            'p',
            { class: 'soft' },
            'Whoever can query a marked model can copy or forge its mark. Text without a mark may have been paraphrased, translated or diluted.',
          ),
        ),
    ],
  };
}
