// The map: leading families, near each other where their texts are.
//
// The idea: every line is a similarity that the server measured, by searching for the text of one family; the places follow
// from the lines. Weakness: a plane cannot hold these distances, and the page says so; only some families are asked for.
// Guarantee: the layout is for the eye alone, it is the same for the same lines, and nothing is concluded from it.

import { h, s, put, link, count, many, decimal, plain } from './dom.js';
import { get, post, each, may } from './api.js';
import { failure } from './dialog.js';
import { table } from './table.js';
import { figure } from './chart.js';
import { head, section, print, template, textOf } from './parts.js';

const MOST = 40;
const ASKED = 60;
const LEAST = 0.25;
// Width of a letter of a name, about.
const LETTER = 6.2;

// Lines between families: the nearest of their prompts.
async function lines(families, signal, told) {
  const known = new Map(families.map((family, i) => [family.id, i])),
    best = new Map();
  let asked = 0;
  const answers = await each(families, async (family) => {
    const answer = await post('/similar', { text: [...textOf(family)].slice(0, 4000).join(''), k: ASKED }, { signal });
    asked += 1;
    told(asked);
    return answer;
  });
  answers.forEach((answer, i) =>
    (answer?.hits ?? []).forEach((hit) => {
      const j = known.get(hit.family_id);
      if (j === undefined || j === i || !(hit.similarity >= LEAST)) return;
      const key = i < j ? `${i} ${j}` : `${j} ${i}`;
      best.set(key, Math.max(best.get(key) ?? -1, hit.similarity));
    }),
  );
  const edges = [...best]
    .map(([key, similarity]) => {
      const [a, b] = key.split(' ').map(Number);
      return { a, b, similarity };
    })
    .sort((x, y) => y.similarity - x.similarity || x.a - y.a || x.b - y.b);
  return { edges, failed: answers.filter((answer) => answer === null).length };
}

// Places in the unit square: lines pull by their similarity, neighbours push, and all lean to the middle.
function places(n, edges) {
  const p = Array.from({ length: n }, (_, i) => ({
    x: 0.5 + 0.42 * Math.sqrt((i + 0.5) / n) * Math.cos(i * 2.399963),
    y: 0.5 + 0.42 * Math.sqrt((i + 0.5) / n) * Math.sin(i * 2.399963),
  }));
  const ideal = 0.8 / Math.sqrt(n);
  for (let round = 0; round < 300; round += 1) {
    const move = p.map(() => ({ x: 0, y: 0 }));
    for (let i = 0; i < n; i += 1) {
      for (let j = i + 1; j < n; j += 1) {
        const dx = p[i].x - p[j].x,
          dy = p[i].y - p[j].y,
          far = Math.max(0.01, Math.hypot(dx, dy)),
          push = far > 2.5 * ideal ? 0 : (ideal * ideal) / far;
        move[i].x += (dx / far) * push;
        move[i].y += (dy / far) * push;
        move[j].x -= (dx / far) * push;
        move[j].y -= (dy / far) * push;
      }
    }
    for (const { a, b, similarity } of edges) {
      const dx = p[a].x - p[b].x,
        dy = p[a].y - p[b].y,
        far = Math.max(0.01, Math.hypot(dx, dy)),
        pull = ((far * far) / ideal) * similarity * 1.5;
      move[a].x -= (dx / far) * pull;
      move[a].y -= (dy / far) * pull;
      move[b].x += (dx / far) * pull;
      move[b].y += (dy / far) * pull;
    }
    p.forEach((q, i) => {
      move[i].x += (0.5 - q.x) * ideal * 0.5;
      move[i].y += (0.5 - q.y) * ideal * 0.5;
    });
    const most = 0.06 * (1 - round / 300) + 0.001;
    p.forEach((q, i) => {
      const far = Math.max(1e-9, Math.hypot(move[i].x, move[i].y)),
        step = Math.min(most, far);
      q.x = Math.min(0.98, Math.max(0.02, q.x + (move[i].x / far) * step));
      q.y = Math.min(0.97, Math.max(0.03, q.y + (move[i].y / far) * step));
    });
  }
  return p;
}

// Places on the drawing: a circle's, and whether two do not meet.
const around = (x, y, r) => ({ from: x - r, to: x + r, top: y - r, bottom: y + r });
const apart = (a, b) => a.to < b.from || b.to < a.from || a.bottom < b.top || b.bottom < a.top;

function draw(families, edges) {
  const at = places(families.length, edges),
    most = Math.max(1, ...families.map((f) => f.accounts));
  // A family is known by its first words, where they may be seen; at the edges of the map they run inwards.
  const fixed = (family) => (family.template_parts ?? []).map((part) => part.text ?? '').join('');
  const name = (family, most) => plain((fixed(family).match(/[\p{L}\p{N}].{0,99}/su) ?? [family.id])[0], most);
  const ends = (q) => (q.x < 0.08 ? 'start' : q.x > 0.92 ? 'end' : 'middle');
  const size = (f) => 4 + 13 * Math.sqrt(f.accounts / most);
  return figure({
    title: 'Leading families by similarity of text',
    name: 'map',
    links: true,
    note: 'a circle’s area: accounts; a line: similarity, stronger is nearer',
    label: `${families.length} families, ${edges.length} lines of similarity; the table below has all of them`,
    draw: (width) => {
      const height = Math.round(Math.min(620, Math.max(320, width * 0.6))),
        x = (q) => 24 + q.x * (width - 48),
        y = (q) => 24 + q.y * (height - 48);
      const marks = edges.map(({ a, b, similarity }) =>
        put(
          s('line', {
            class: 'edge',
            x1: x(at[a]),
            y1: y(at[a]),
            x2: x(at[b]),
            y2: y(at[b]),
            opacity: Math.min(1, 0.35 + similarity * 0.75).toFixed(2),
          }),
          s('title', null, decimal(similarity, 3)),
        ),
      );
      // A name stands below its circle, else above it, where no other name and no other circle stands; else it is left to the title.
      const taken = families.map((family, i) => around(x(at[i]), y(at[i]), size(family)));
      const placed = (family, i, words) => {
        const wide = LETTER * words.length,
          left = { start: 0, middle: wide / 2, end: wide }[ends(at[i])];
        for (const line of [y(at[i]) + size(family) + 11, y(at[i]) - size(family) - 4]) {
          const box = { from: x(at[i]) - left, to: x(at[i]) - left + wide, top: line - 9, bottom: line + 3 };
          if (box.top > 0 && box.bottom < height && taken.every((other, j) => j === i || apart(box, other))) {
            taken.push(box);
            return line;
          }
        }
        return null;
      };
      const order = families.map((_, i) => i).sort((a, b) => families[b].accounts - families[a].accounts || a - b);
      for (const i of order) {
        const family = families[i],
          words = name(family, width < 560 ? 10 : 20),
          line = placed(family, i, words);
        marks.push(
          s(
            'a',
            { href: `/families/${family.id}`, tabindex: '-1', 'aria-hidden': 'true' },
            put(
              s('circle', { class: 'node', cx: x(at[i]), cy: y(at[i]), r: size(family) }),
              s('title', null, `${family.id}, ${many(family.accounts, 'account', 'accounts')}: ${plain(textOf(family), 120)}`),
            ),
            line !== null && s('text', { class: 'tick', x: x(at[i]), y: line, 'text-anchor': ends(at[i]) }, words),
          ),
        );
      }
      return { height, marks };
    },
  });
}

export async function view({ signal }) {
  const about =
    'Near means that texts are alike. Far means little: a plane cannot hold these distances, so place, direction and empty space say nothing. Only the lines are measured.';
  if (!may('text'))
    return {
      title: 'Map',
      nodes: [
        head('Map', 'Families by similarity', about),
        h('p', { class: 'empty' }, 'The map searches for texts of families, which your role may not see.'),
      ],
    };
  const families = (await get('/families', { query: { level: 'near-duplicate', limit: MOST }, signal })).families.slice(0, MOST);
  const waiting = h('p', { class: 'waiting', role: 'status' }, 'Searching for the text of each family …'),
    out = h('div', { 'aria-busy': 'true' }, waiting);
  const later = lines(families, signal, (n) =>
    waiting.replaceChildren(`Searching for the text of each family: ${count(n)} of ${count(families.length)} …`),
  )
    .then(
      ({ edges, failed }) => {
        out.replaceChildren();
        put(out, drawn(families, edges, failed));
      },
      (cause) => {
        if (cause.name !== 'AbortError') out.replaceChildren(failure(cause));
      },
    )
    .finally(() => out.removeAttribute('aria-busy'));
  return { title: 'Map', later, nodes: [head('Map', 'Families by similarity', about, print()), out] };
}

function drawn(families, edges, failed) {
  if (families.length === 0) return h('p', { class: 'empty' }, 'This store has no near-duplicate families yet.');
  return [
    failed > 0 && h('p', { class: 'warn' }, `${many(failed, 'search', 'searches')} of ${count(families.length)} failed; their lines are missing.`),
    draw(families, edges),
    h(
      'p',
      { class: 'soft' },
      `The ${many(families.length, 'near-duplicate family', 'near-duplicate families')} of most accounts. For each, the ${count(ASKED)} nearest prompts were asked for; a line is drawn from ${decimal(LEAST, 2)} on. What you see here is exploratory: a group that is drawn from it must be proposed and confirmed on later days before it is a ring.`,
    ),
    section(
      'Lines',
      null,
      table({
        name: 'map-lines',
        caption: 'Similarity of families',
        rows: edges,
        most: 30,
        empty: 'No two of these families are alike.',
        columns: [
          { head: 'Similarity', n: true, value: (e) => e.similarity, show: (e) => decimal(e.similarity, 3) },
          { head: 'Family', rowhead: true, value: (e) => families[e.a].id, show: (e) => link(families[e.a].id) },
          { head: 'Its template', wide: true, value: (e) => textOf(families[e.a]), show: (e) => template(families[e.a], { most: 90 }) },
          { head: 'and family', value: (e) => families[e.b].id, show: (e) => link(families[e.b].id) },
          { head: 'its template', wide: true, value: (e) => textOf(families[e.b]), show: (e) => template(families[e.b], { most: 90 }) },
        ],
      }),
    ),
  ];
}
