// Watermark: opens the results of tests, and says what they show and what they do not.
//
// The idea: a test needs keys, and keys are on no server; so results, which the command line wrote, are opened here and read
// by this browser alone. One file for each document or each suspect puts them beside each other. Weakness: a result is of all
// its documents together, so a curve by document needs a test of each. Guarantee: no file leaves this machine, and no number
// of it is computed again.

import { h, s, put, shown, plain, count, many, decimal, percent } from './dom.js';
import { table, facts } from './table.js';
import { figure } from './chart.js';
import { failure } from './dialog.js';
import { head, section, print } from './parts.js';
import { where } from './places.js';

const MOST_BYTES = 32 << 20;
const MOST_FILES = 24;
// Lines of the drawing, and rows of the one below it.
const LINES = 6;
const ROWS = 24;
// The drawing along the text ends here: a text that is marked all through would flatten every other.
const DEEPEST = -100;
const STEPS = [1, 2, 5, 10, 20];
// Curves are told apart by their strokes too: two that lie on each other stay two.
const DASHES = ['none', '7 4', '2 3', '10 3 2 3', '12 5', '4 4'];
let opened = [];

const VERDICT = {
  Marked: 'The text depends on the key’s mark.',
  NotDetected: 'No mark was found, and one of the stated strength would have been found.',
  Inconclusive: 'Neither is shown.',
};
const number = (x) => typeof x === 'number' && Number.isFinite(x);
const words = (x) => (x === null || x === undefined ? '' : String(x));

// The tests of a file, whichever command wrote it: `watermark detect`, `radioactivity test`, or `radioactivity` by ring.
function testsOf({ name, value }) {
  const list = [value?.results, value?.tests, value?.rings].find((one) => Array.isArray(one) && one.length > 0 && typeof one[0] === 'object');
  return (list ?? [])
    .filter((r) => r && typeof r === 'object')
    .map((r) => ({
      ...r,
      file: name,
      of: words(r.ring ?? r.set),
      key: words(r.key_id ?? r.key),
      way: [r.scheme, r.dialect].map(words).filter(Boolean).join(', '),
      curve: Array.isArray(r.curve) ? r.curve.filter((p) => p && number(p.scored) && number(p.log10_p)) : [],
      band: Array.isArray(r.decoys?.band) ? r.decoys.band.filter((b) => Array.isArray(b) && b.every(number)) : [],
    }));
}

// Every file may have names of its own choosing, so a name is cut and cleaned before it is drawn.
const label = (r, several) => plain([several && r.file, r.of, r.key].filter(Boolean).join(' · '), 44);

// log10 p along the text. Each curve has 64 points at equal parts of the text; where the text has tokens they are the scale.
function curves(tests, alpha) {
  const drawn = tests
    .filter((r) => r.curve.length > 1)
    .sort((a, b) => a.log10_p - b.log10_p)
    .slice(0, LINES);
  if (drawn.length === 0)
    return h('p', { class: 'empty' }, 'These results have no curve along the text: they were written by a version that did not keep it.');
  const several = new Set(tests.map((r) => r.file)).size > 1,
    tokens = drawn.every((r) => number(r.tokens)),
    line = Math.log10(alpha ?? 1e-6);
  const end = (r) => (tokens ? r.tokens : r.curve.at(-1).scored),
    place = (r, i) => (tokens ? ((i + 1) / r.curve.length) * r.tokens : r.curve[i].scored);
  const far = Math.max(1, ...drawn.map(end)),
    low = Math.max(DEEPEST, Math.min(line * 1.5, ...drawn.flatMap((r) => r.curve.map((p) => p.log10_p))));
  // Lines at round numbers, at most six of them.
  const step = STEPS.find((one) => one * 6 >= -low),
    rules = Array.from({ length: Math.floor(-low / step) + 1 }, (_, i) => -i * step);
  // A curve that goes deeper is drawn as far as the floor.
  const drawnTo = (r) => {
    const at = r.curve.findIndex((p) => p.log10_p <= low);
    return at < 0 ? r.curve : r.curve.slice(0, at + 1);
  };
  const deeper = drawn.some((r) => r.curve.some((p) => p.log10_p < low));
  const left = tests.filter((r) => r.curve.length > 1).length - drawn.length;
  return figure({
    title: `log₁₀ p along the text, against ${tokens ? 'tokens' : 'windows scored'}`,
    name: 'watermark-curve',
    note: `shaded: 5% to 95% of the decoy keys at the same place; dashed: the level before adjustment${deeper ? `; curves go on below ${decimal(low, 0)}` : ''}${left > 0 ? `; ${many(left, 'curve', 'curves')} of larger p left out` : ''}`,
    label: drawn.map((r) => `${label(r, several)}: log10 p falls to ${decimal(r.curve.at(-1).log10_p)} after ${count(end(r))}`).join('; '),
    draw: (width) => {
      const gutter = 46,
        legend = drawn.length * 17 + 8,
        bottom = 250,
        height = bottom + 24 + legend,
        right = width - 8;
      const x = (n) => gutter + (n / far) * (right - gutter),
        y = (p) => 8 + (Math.max(low, Math.min(0, p)) / low) * (bottom - 8),
        at = (n, p) => `${x(n).toFixed(1)},${y(p).toFixed(1)}`;
      const marks = [];
      for (const at of rules)
        marks.push(
          s('line', { class: 'rule', x1: gutter, x2: right, y1: y(at), y2: y(at) }),
          s('text', { class: 'tick', x: gutter - 6, y: y(at) + 4, 'text-anchor': 'end' }, decimal(at, 0)),
        );
      for (const part of [0, 0.25, 0.5, 0.75, 1]) {
        if (width > 480 || part * 2 === Math.round(part * 2))
          marks.push(
            s(
              'text',
              { class: 'tick', x: x(far * part), y: bottom + 16, 'text-anchor': part === 0 ? 'start' : part === 1 ? 'end' : 'middle' },
              count(far * part),
            ),
          );
      }
      drawn.forEach((r, i) => {
        if (r.band.length !== r.curve.length) return;
        const over = r.band.map(([, high], n) => at(place(r, n), high)),
          under = r.band.map(([lowest], n) => at(place(r, n), lowest)).reverse();
        marks.push(s('polygon', { class: `shade k${i}`, points: [at(0, 0), ...over, ...under].join(' '), opacity: 0.16 }));
      });
      marks.push(s('line', { class: 'limit', x1: gutter, x2: right, y1: y(line), y2: y(line) }));
      drawn.forEach((r, i) =>
        marks.push(
          put(
            s('polyline', {
              class: `line k${i}`,
              'stroke-dasharray': DASHES[i],
              points: [at(0, 0), ...drawnTo(r).map((p, n) => at(place(r, n), p.log10_p))].join(' '),
            }),
            s('title', null, `${label(r, several)}: log10 p ${decimal(r.curve.at(-1).log10_p)} after ${count(r.curve.at(-1).scored)} windows`),
          ),
        ),
      );
      drawn.forEach((r, i) => {
        const row = bottom + 24 + 17 * (i + 1);
        marks.push(
          s('line', { class: `line k${i}`, 'stroke-dasharray': DASHES[i], x1: gutter, x2: gutter + 24, y1: row - 4, y2: row - 4 }),
          s('text', { class: 'tick strong', x: gutter + 30, y: row }, `${label(r, several)}: ${plain(r.verdict, 14)}, ${decimal(r.log10_p)}`),
        );
      });
      return { height, marks };
    },
  });
}

// The end of each test beside the band of its decoys: a row for each document or key.
function ends(tests, alpha) {
  const values = tests.slice(0, ROWS),
    several = new Set(tests.map((r) => r.file)).size > 1,
    line = Math.log10(alpha ?? 1e-6),
    quantiles = (r) => (Array.isArray(r.decoys?.quantiles) && r.decoys.quantiles.every(number) ? r.decoys.quantiles : null);
  const low = Math.min(line * 1.4, ...values.map((r) => Math.max(-60, r.log10_p ?? 0)), ...values.map((r) => Math.max(-60, quantiles(r)?.[0] ?? 0)));
  return figure({
    title: several ? 'log₁₀ p by document' : 'log₁₀ p by key',
    name: 'watermark',
    note: `band: 5% to 95% of the decoy keys; dashed: the level before adjustment${tests.length > ROWS ? `; the first ${ROWS} of ${count(tests.length)}` : ''}`,
    label: values.map((r) => `${label(r, several)}: log10 p ${decimal(r.log10_p)}, ${plain(r.verdict, 14)}`).join('; '),
    draw: (width) => {
      const narrow = width < 560,
        left = narrow ? 0 : 250,
        right = width - 54,
        row = narrow ? 40 : 26,
        drop = narrow ? 15 : 0,
        height = values.length * row + 22,
        bottom = height - 18,
        x = (v) => left + (Math.max(low, Math.min(0, v)) / low) * (right - left);
      const marks = [
        s('line', { class: 'axis', x1: left, x2: left, y1: 0, y2: bottom }),
        s('line', { class: 'limit', x1: x(line), x2: x(line), y1: 0, y2: bottom }),
      ];
      values.forEach((r, i) => {
        const y = i * row + drop,
          q = quantiles(r);
        marks.push(s('text', { class: 'tick strong', x: narrow ? 2 : 0, y: narrow ? i * row + 12 : y + 17 }, plain(label(r, several), 36)));
        if (q)
          marks.push(
            s('rect', { class: 'band', x: x(q[2]), y: y + 4, width: Math.max(2, x(q[0]) - x(q[2])), height: 18 }),
            s('line', { class: 'rule', x1: x(q[1]), x2: x(q[1]), y1: y + 4, y2: y + 22 }),
          );
        if (!number(r.log10_p)) return;
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

function result() {
  const tests = opened.flatMap(testsOf),
    bare = opened.filter((file) => testsOf(file).length === 0);
  const nothing = bare.map((file) =>
    h(
      'p',
      { class: 'empty' },
      h('b', null, shown(file.name, { most: 80 })),
      ' holds no result of a watermark test: expected an object with ',
      h('code', null, 'results'),
      ', ',
      h('code', null, 'tests'),
      ' or ',
      h('code', null, 'rings'),
      ', as ',
      h('code', null, 'watermark detect --format json'),
      ' and ',
      h('code', null, 'radioactivity --format json'),
      ' print it.',
    ),
  );
  if (tests.length === 0) return h('div', null, nothing);
  const several = opened.length - bare.length > 1,
    first = opened.find((file) => testsOf(file).length > 0).value,
    parameters = first.parameters ?? {},
    statements = first.statements ?? {};
  const same = (name) => new Set(opened.map((file) => file.value?.parameters?.[name])).size === 1;
  const total = (read) => opened.map((file) => read(file.value ?? {})).reduce((a, b) => (number(a) && number(b) ? a + b : null));
  const inside = several ? 'in each file' : null;
  return h(
    'div',
    null,
    nothing,
    facts(
      [
        ['files', several ? count(opened.length) : null],
        ['tests', count(several ? tests.length : (tests[0].m_tests ?? tests.length)), inside && 'adjusted in each file'],
        ['documents', count(total((value) => value.input?.documents ?? value.input?.pieces))],
        ['tokens', count(total((value) => value.input?.tokens))],
        ['decoy keys', count(tests[0].decoys?.n)],
        ['level', number(parameters.alpha) && same('alpha') ? `p ≤ ${parameters.alpha}` : null],
      ],
      'strip',
    ),
    several &&
      h(
        'p',
        { class: 'warn' },
        'Each file was adjusted for its own tests only. Who looks at many documents sooner or later finds a small p among them: read the smallest as one of ',
        count(tests.length),
        ', or test all documents in one command.',
      ),
    section(
      'Verdicts',
      ['Of ', opened.slice(0, 6).map((file, i) => [i > 0 && ', ', shown(file.name, { most: 60 })]), opened.length > 6 && ' and others', '.'],
      table({
        name: 'watermark',
        caption: several ? 'Verdict by document' : 'Verdict by key',
        rows: tests,
        columns: [
          ...(several ? [{ head: 'Document', value: (r) => r.file, show: (r) => shown(r.file, { most: 60 }) }] : []),
          {
            head: 'Key',
            rowhead: true,
            value: (r) => r.key,
            show: (r) => h('span', { class: r.key.length > 20 ? 'mono' : 'id' }, shown(r.key, { most: 40 })),
          },
          ...(tests.some((r) => r.of) ? [{ head: 'Set or ring', value: (r) => r.of, show: (r) => shown(r.of || '–', { most: 40 }) }] : []),
          { head: 'Scheme', value: (r) => r.way, show: (r) => shown(r.way, { most: 60 }) },
          {
            head: 'Verdict',
            wide: true,
            value: (r) => r.verdict,
            show: (r) => [h('b', null, shown(r.verdict, { most: 20 })), ' ', h('span', { class: 'soft' }, VERDICT[r.verdict] ?? '')],
          },
          { head: 'log₁₀ p, adjusted', n: true, value: (r) => r.adjusted_log10_p, show: (r) => decimal(r.adjusted_log10_p) },
          { head: 'Windows scored', n: true, value: (r) => r.scored },
          { head: 'Power', n: true, value: (r) => r.power, show: (r) => percent(r.power, 1) },
          {
            head: 'Decoys uniform, p',
            n: true,
            value: (r) => r.decoys?.uniformity_p ?? r.decoys?.ks_p,
            show: (r) => decimal(r.decoys?.uniformity_p ?? r.decoys?.ks_p, 3),
          },
        ],
      }),
      curves(tests, parameters.alpha),
      h(
        'p',
        { class: 'soft' },
        'A curve is there to be looked at: a mark that was learned lowers it all along the text, a passage that was copied makes one step. The verdict is of the whole text, and no place on the way is a test.',
      ),
      ends(tests, parameters.alpha),
    ),
    where(tests),
    section(
      'Why',
      null,
      h(
        'ul',
        { class: 'list' },
        tests
          .slice(0, 50)
          .map((r) =>
            h(
              'li',
              null,
              several && [shown(r.file, { most: 60 }), ', '],
              shown(r.key, { most: 40 }),
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
          [
            'Number of tests',
            `${many(tests[0].m_tests ?? tests.length, 'test', 'tests')}${several ? ' in the first file' : ''}; adjusted by ${parameters.adjustment ?? 'Holm'}`,
          ],
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

async function read(file) {
  if (file.size > MOST_BYTES) throw new Error(`${plain(file.name, 60)} has ${count(file.size)} bytes; at most ${count(MOST_BYTES)} are opened`);
  try {
    return { name: file.name, value: JSON.parse(await file.text()) };
  } catch {
    throw new Error(`${plain(file.name, 60)} is no JSON`);
  }
}

export async function view() {
  const out = h('div', { 'aria-live': 'polite' });
  const input = h('input', {
    type: 'file',
    id: 'result',
    multiple: true,
    accept: '.json,application/json',
    onchange: async (event) => {
      const files = [...event.target.files];
      if (files.length === 0) return;
      try {
        if (files.length > MOST_FILES) throw new Error(`${count(files.length)} files were chosen; at most ${count(MOST_FILES)} are opened`);
        opened = await Promise.all(files.map(read));
        out.replaceChildren(result());
        made.hidden = true;
      } catch (cause) {
        out.replaceChildren(failure({ message: cause.message, hint: 'Expected the output of: stillhunt watermark detect … --format json' }));
      }
    },
  });
  const made = section(
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
  );
  made.hidden = opened.length > 0;
  if (opened.length > 0) put(out, result());
  return {
    title: 'Watermark',
    nodes: [
      head(
        'Watermark',
        'Did they train on it?',
        'Opens the results of tests. Files are read by this browser and sent nowhere; keys never come here.',
        print(),
      ),
      h(
        'div',
        { class: 'field noprint open' },
        h('label', { for: 'result' }, 'Result of a test, as JSON'),
        input,
        h(
          'p',
          { class: 'hint' },
          `Several files, at most ${count(MOST_FILES)}, are put beside each other: one for each document, or for each suspect.`,
        ),
      ),
      out,
      made,
    ],
  };
}
