// How long each view of the desk takes on a store: to be usable after a click, and to be whole.
//
// The idea: the browser's own clock, in the page, on the store of whoever asks. Weakness: the least of five is told, which is
// what a machine without other work gives. Guarantee: nothing is written to the store.
//   node time.mjs STORE KEY

import { Desk, settled, timed } from './desk.mjs';

const [store, key] = process.argv.slice(2);
const desk = await new Desk().open({ store, key });
try {
  const { rings } = desk.json('ring', 'list');
  const { families } = desk.json('family', 'list');
  const members = rings.length > 0 ? desk.json('ring', rings[0].id).members : desk.json('family', families[0].id).members;
  const page = await desk.page('analyst', { at: '/watermark', purpose: 'how long each view takes' });
  // The server sums a night up once, for whoever comes first.
  const first = await page.evaluate(async () => {
    const start = performance.now();
    await (await fetch('/api/v1/tonight')).arrayBuffer();
    return performance.now() - start;
  });
  console.log(`the first answer of a night: ${first.toFixed(0)} ms`);
  page.setDefaultTimeout(60000);
  for (const [name, path] of [
    ['tonight', '/'],
    ['search', `/search?${new URLSearchParams({ q: 'Give me a three question quiz' })}`],
    ['families', '/families'],
    ['family', `/families/${families[0].id}`],
    ['account', `/accounts/${members[0].account}`],
    ['rings', '/rings'],
    ...(rings.length > 0 ? [['ring', `/rings/${rings[0].id}`]] : []),
    ['cases', '/cases'],
    ['registry', '/registry'],
    ['evidence', '/evidence'],
    ['map', '/map'],
    ['watermark', '/watermark'],
  ]) {
    await desk.go(page, path);
    await settled(page);
    const { usable, whole } = await timed(page, path, 5);
    console.log(`${name.padEnd(10)} ${usable.toFixed(0).padStart(6)} ms usable ${whole.toFixed(0).padStart(6)} ms whole`);
  }
} finally {
  await desk.close();
}
