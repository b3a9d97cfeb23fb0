// README's pictures of the desk: the page of a ring, and a search, on the demonstration store, at three quarters of their size.
//
// The idea: the same desk that the tests open, without their hostile night. Weakness: names follow the account key, which is
// new each time, so no two pictures are the same to the byte. Guarantee: nothing is drawn for the picture alone.

import { join } from 'node:path';
import { Desk, settled } from './desk.mjs';

const desk = await new Desk().open({ hostile: false });
try {
  const ring = desk.json('ring', 'list').rings[0].id;
  const question = new URLSearchParams({ q: 'Give me a three question quiz about a kitchen tool' });
  for (const [name, path, height] of [
    ['desk-ring', `/rings/${ring}`, 2160],
    ['desk-search', `/search?${question}`, 1000],
  ]) {
    const page = await desk.page('analyst', { at: path, height, scale: 0.75, purpose: 'case 17' });
    await settled(page);
    await page.evaluate(() => document.activeElement.blur());
    await page.mouse.move(100, 700);
    await page.screenshot({ path: join(process.argv[2], `${name}.png`) });
    await page.context().close();
  }
} finally {
  await desk.close();
}
