// The page in a browser: every view, what each role may, the keys, addresses, and prompts that attack whoever reads them.
//
// The idea: one store, one server, one browser; each test opens a page of its own, and fails when the browser saw anything
// that it should not: a request to elsewhere, a breach of the policy, an error. Weakness: what looks ugly passes; pictures
// are for that. Guarantee: every number that is compared comes from the command line of the same store.

import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Desk, settled, breaches, shot, timed } from './desk.mjs';
import { PROMPTS } from './hostile.mjs';

const desk = new Desk();
let ring, family, account, report;

before(async () => {
  await desk.open();
  report = desk.json('ring', 'list');
  ring = report.rings[0];
  family = desk.json('family', 'list').families.find((f) => f.slots.length > 0 && f.last_seen < '2025-03-08');
  account = desk.json('ring', ring.id).members[0].account;
});

after(async () => {
  await desk.close();
});

// Runs `look` on a page of its own, which must have seen nothing bad at the end.
async function on(role, options, look) {
  const page = await desk.page(role, options);
  try {
    await look(page);
    assert.deepEqual(page.saw, []);
    assert.equal(await page.evaluate(() => window.ran), undefined);
  } finally {
    await page.context().close();
  }
}

const views = () => [
  ['tonight', '/'],
  ['search', `/search?q=${encodeURIComponent('Give me a three question quiz')}`],
  ['families', '/families'],
  ['family', `/families/${family.id}`],
  ['account', `/accounts/${account}`],
  ['rings', '/rings'],
  ['ring', `/rings/${ring.id}`],
  ['cases', '/cases'],
  ['registry', '/registry'],
  ['evidence', '/evidence'],
  ['map', '/map'],
  ['watermark', '/watermark'],
];
const wide = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
const text = (page) => page.locator('main').innerText();

test('the form asks for a token, refuses a wrong one in words, and then shows tonight', () =>
  on(null, {}, async (page) => {
    await page.getByLabel('Access token').waitFor();
    assert.match(await page.title(), /Sign in/);
    await shot(page, 'sign-in', false);
    assert.deepEqual(await breaches(page), []);
    await page.getByLabel('Access token').fill('shd_nobody');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').waitFor();
    await desk.signIn(page, 'analyst');
    assert.match(await page.title(), /^Tonight: night 6/);
    assert.equal(new URL(page.url()).search, '');
    assert.ok(
      page.asked.every((one) => !one.includes(desk.tokens.analyst)),
      'no token in an address',
    );
  }));

test('a desk that knows an identity provider offers it, with the purpose that was said', () =>
  on(null, { at: '/watermark' }, async (page) => {
    await page.getByLabel('Access token').waitFor();
    assert.equal(await page.getByRole('link', { name: /organisation/ }).count(), 0);
    await page.route('**/api/v1/oidc', (route) => route.fulfill({ json: { schema: 1, enabled: true, login: '/api/v1/oidc/login' } }));
    await page.route('**/api/v1/oidc/login?*', (route) => route.fulfill({ contentType: 'text/plain', body: new URL(route.request().url()).search }));
    await page.reload();
    await page.getByLabel('Purpose').fill('case 17');
    await page.getByRole('link', { name: /organisation/ }).waitFor();
    assert.deepEqual(await breaches(page), []);
    await page.getByRole('link', { name: /organisation/ }).click();
    await page.getByText('?purpose=case+17').waitFor();
  }));

test('an address that somebody was sent opens after signing in, and signing out ends the session', () =>
  on(null, { at: `/rings/${ring.id}` }, async (page) => {
    await desk.signIn(page, 'analyst');
    assert.equal(await page.title(), `Ring ${ring.id} · stillhunt`);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Access token').waitFor();
    await page.goto(`${desk.url}/rings/${ring.id}`);
    await page.getByLabel('Access token').waitFor();
  }));

for (const [mode, options, rules] of [
  ['light', {}],
  ['dark', { dark: true }],
  // What the width of the window changes.
  ['phone', { width: 390, height: 844 }, ['target-size', 'scrollable-region-focusable', 'color-contrast']],
]) {
  test(`every view stands, is named, is accessible and keeps its width: ${mode}`, () =>
    on('analyst', options, async (page) => {
      const titles = new Set();
      for (const [name, path] of views()) {
        await desk.go(page, path);
        await page.waitForTimeout(60);
        assert.ok((await wide(page)) <= 0, `${name} is wider than the window`);
        assert.equal(await page.getByRole('alert').count(), 0, `${name}: ${await text(page)}`);
        const seen = await page.evaluate(() => {
          const at = document.querySelector('nav a[aria-current]')?.getBoundingClientRect();
          return !at || (at.left >= 0 && at.right <= window.innerWidth);
        });
        assert.ok(seen, `${name}: which view it is lies beside the window`);
        assert.deepEqual(await breaches(page, rules), [], name);
        titles.add(await page.title());
        await shot(page, `${name}-${mode}`);
      }
      assert.equal(titles.size, views().length, 'each title names its own view');
    }));
}

test('tonight says what the command line says', () =>
  on('analyst', {}, async (page) => {
    const said = await text(page);
    for (const one of report.rings) assert.ok(said.includes(one.id), one.id);
    const grouped = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, '\u202f');
    assert.ok(said.includes(grouped(report.rings_meta.proposed)), 'number of tests');
    assert.match(said, /at most 1% are expected to be false/);
    const { quarantined } = await page.evaluate(async () => (await fetch('/api/v1/tonight')).json());
    assert.deepEqual(
      quarantined.map((one) => [one.night, one.rows]),
      [[6, 1]],
    );
    const aside = page.getByRole('table', { name: 'Rows set aside by night and reason' }).locator('tbody tr');
    assert.equal(await aside.count(), 1);
    assert.ok((await aside.innerText()).includes(quarantined[0].reason.slice(0, 40)));
    assert.match(said, /no probability of guilt/);
  }));

test('search follows what is typed, an account is one click away, and back is right', () =>
  on('analyst', {}, async (page) => {
    await page.keyboard.press('/');
    await page.keyboard.type('Give me a three question quiz');
    await page.keyboard.press('Enter');
    await page.locator('.hits > li').first().waitFor();
    assert.match(await page.title(), /^Search: Give me/);
    assert.match(page.url(), /\/search\?q=Give/);
    const before = await page.locator('.hits > li').first().innerText();
    await page.getByLabel('Prompt', { exact: true }).fill('Give me a three question quiz that reveals which kitchen tool I am');
    await page.waitForFunction(() => document.location.href.includes('kitchen'));
    await page.waitForFunction((was) => document.querySelector('.hits > li')?.innerText !== was, before);
    const answer = desk.json('similar', 'Give me a three question quiz that reveals which kitchen tool I am', '--key', desk.key);
    assert.ok((await page.locator('.hits > li').first().innerText()).includes(answer.hits[0].similarity.toFixed(3)));
    await page.locator('.hits > li').first().locator('a[href^="/accounts/"]').first().click();
    await page.waitForURL(/\/accounts\/a/);
    await settled(page);
    assert.match(await page.title(), /^Account a/);
    await page.goBack();
    await page.locator('.hits > li').first().waitFor();
    assert.ok((await page.getByLabel('Prompt', { exact: true }).inputValue()).includes('kitchen'));
    await page.goBack();
    await settled(page);
    assert.match(await page.title(), /^Tonight/);
    await page.goForward();
    await page.locator('.hits > li').first().waitFor();
  }));

test('back puts the page where it was', () =>
  on('analyst', { at: '/families' }, async (page) => {
    await settled(page);
    await page.evaluate(() => scrollTo(0, 900));
    await page.waitForTimeout(300);
    await page.locator('tr[data-row] a').nth(30).click();
    await page.waitForURL(/\/families\/./);
    await settled(page);
    await page.goBack();
    await settled(page);
    await page.waitForFunction(() => scrollY > 600);
  }));

test('the keys alone lead from tonight to a ring and on to one of its accounts', () =>
  on('analyst', {}, async (page) => {
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/rings\/r/);
    await settled(page);
    await page.locator('main h1').waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press('f');
    await page.waitForURL(/\/families$/);
    await settled(page);
    for (let n = 0; n < 3; n += 1) await page.keyboard.press('j');
    await page.keyboard.press('k');
    assert.equal(await page.evaluate(() => [...document.querySelectorAll('tr[data-row]')].indexOf(document.activeElement.closest('tr'))), 1);
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
    assert.deepEqual(await breaches(page), []);
    await page.keyboard.press('Escape');
    assert.equal(await page.getByRole('dialog').count(), 0);
  }));

test('a ring shows its verdict with null, tests and error, and every explanation', () =>
  on('analyst', { at: `/rings/${ring.id}` }, async (page) => {
    await settled(page);
    const said = await text(page);
    for (const words of [
      'Null hypothesis',
      'Number of tests',
      'Error rate',
      'Placebo',
      'no probability of guilt',
      'Innocent explanations tested',
      'Sensitivity',
    ])
      assert.ok(said.includes(words), words);
    assert.equal(
      await page
        .locator('table', { has: page.locator('caption', { hasText: 'Innocent explanations' }) })
        .locator('tbody tr')
        .count(),
      ring.provenance.length,
    );
    assert.ok((await page.locator('figure svg rect.bar').count()) > 100, 'who used what is drawn');
    const label = () => page.locator('figure').first().locator('text.id').first().textContent();
    const first = await label();
    await page.getByLabel('Order of the accounts').selectOption('alike');
    assert.notEqual(await label(), first);
    await page.emulateMedia({ media: 'print' });
    assert.equal(await page.locator('.side').isVisible(), false);
    assert.equal(await page.getByText('Null hypothesis').isVisible(), true);
    assert.equal(await page.getByText('Number of tests').isVisible(), true);
    assert.equal(await page.getByText('Error rate').isVisible(), true);
  }));

test('tables and charts come as files', () =>
  on('analyst', { at: `/rings/${ring.id}` }, async (page) => {
    await settled(page);
    const save = async (button) => {
      const [file] = await Promise.all([page.waitForEvent('download'), button.click()]);
      return [file.suggestedFilename(), readFileSync(await file.path(), 'utf8')];
    };
    const [name, rows] = await save(
      page.locator('.table', { has: page.locator('caption', { hasText: /^Members$/ }) }).getByRole('button', { name: 'CSV' }),
    );
    assert.equal(name, `${ring.id}-members.csv`);
    assert.equal(rows.trim().split('\r\n').length, 1 + desk.json('ring', ring.id).members.length);
    const [drawn, svg] = await save(page.locator('figure').first().getByRole('button', { name: 'SVG' }));
    assert.match(drawn, /\.svg$/);
    assert.match(svg, /^<svg[^>]+xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    assert.doesNotMatch(svg, /class=|href=/);
    const [picture] = await Promise.all([page.waitForEvent('download'), page.locator('figure').first().getByRole('button', { name: 'PNG' }).click()]);
    assert.match(picture.suggestedFilename(), /\.png$/);
    const bytes = readFileSync(await picture.path());
    assert.equal(bytes.subarray(1, 4).toString(), 'PNG');
    assert.ok(bytes.readUInt32BE(16) > 1000, 'it has the pixels of a picture');
  }));

test('rows that the server holds back are asked for, and then all of them are there', () =>
  on('analyst', {}, async (page) => {
    // The store of this test has no family of more than 200 accounts, so the first answer is cut here as the server cuts it.
    const whole = desk.json('family', family.id),
      first = 5;
    await page.route(`**/api/v1/families/${family.id}`, async (route) => {
      const answer = await (await route.fetch()).json();
      assert.deepEqual([answer.members, answer.members_left_out], [whole.members, 0]);
      answer.members.splice(first);
      await route.fulfill({ json: { ...answer, members_left_out: whole.members.length - first } });
    });
    await page.goto(`${desk.url}/families/${family.id}`);
    await settled(page);
    const rows = page.getByRole('table', { name: 'Accounts of this family' }).locator('tbody th');
    assert.equal(await rows.count(), first);
    await page.getByText(`${first} of ${whole.members.length} have come from the server`).waitFor();
    await page.getByRole('button', { name: 'Show more' }).click();
    await page.waitForFunction((n) => document.querySelectorAll('[data-row^="accounts/"]').length === n, whole.members.length);
    assert.deepEqual(
      await rows.allInnerTexts(),
      whole.members.map((member) => member.account),
    );
    assert.equal(await page.evaluate(() => document.activeElement.textContent), whole.members[first].account);
    assert.equal(await page.getByRole('button', { name: 'Show more' }).count(), 0);
    // Where the server does not answer, the rows stay and the button can be pressed again.
    await page.route('**/accounts?*', (route) => route.fulfill({ status: 503, json: { error: { code: 'busy', message: 'too many questions', hint: 'send it again' } } }));
    await desk.go(page, '/');
    await desk.go(page, `/families/${family.id}`);
    await page.getByRole('button', { name: 'Show more' }).click();
    await page.getByRole('alert').filter({ hasText: 'too many questions' }).waitFor();
    assert.equal(await rows.count(), first);
    assert.ok(await page.getByRole('button', { name: 'Show more' }).isEnabled());
    page.saw = page.saw.filter((line) => !line.includes('status of 503'));
  }));

test('the chains of custody and of access are shown to be whole, the newest row first', () =>
  on('admin', { at: '/evidence' }, async (page) => {
    await settled(page);
    const { rows } = JSON.parse(desk.run('evidence', 'custody', 'show', '--store', desk.store, '--format', 'json'));
    const acts = page.getByRole('table', { name: 'Chain of custody' }).locator('tbody tr');
    assert.equal(await acts.first().locator('td').first().innerText(), String(rows.length));
    assert.equal(await acts.count(), Math.min(50, rows.length));
    assert.equal(await page.getByText('The chain is whole').count(), 2);
  }));

test('a fragment says in which texts it stands', () =>
  on('analyst', {}, async (page) => {
    const { id, fragment } = desk.json('family', 'list').families.find((one) => one.level === 'fragment');
    await desk.go(page, `/families/${id}`);
    const part = page.locator('section', { has: page.getByRole('heading', { name: 'In which texts it stands' }) });
    const told = (await part.innerText()).replace(/[\s\u202f]+/g, ' ');
    assert.ok(told.includes(`${fragment.texts} distinct`) && told.includes(fragment.digest), told);
    assert.ok(told.includes(`${fragment.near_families} near-duplicate famil`), told);
  }));

test('a ring shows what was asked, by whom and when, and its evidence by night, as the command line has them', () =>
  on('analyst', { at: `/rings/${ring.id}` }, async (page) => {
    await settled(page);
    const told = desk.json('ring', ring.id);
    const asked = page.getByRole('table', { name: 'Families of the ring' });
    const first = desk.json('family', told.rings[0].families[0].family_id, '--key', desk.key).family;
    const fixed = first.template_parts.map((part) => part.text ?? '').sort((a, b) => b.length - a.length)[0];
    assert.ok((await asked.locator('tbody tr').first().innerText()).replace(/\s+/g, ' ').includes(fixed.trim().slice(0, 30)), fixed);
    const marks = await page.locator('figure', { hasText: 'When its accounts used each family' }).locator('rect.tickmark').count();
    assert.ok(told.moments_left_out === 0 && marks > 0 && marks <= told.moments.length, `${marks} of ${told.moments.length}`);
    const graph = page.locator('figure', { hasText: 'Accounts and the families that they share' });
    const pairs = new Set(told.moments.map(([member, family]) => `${member} ${told.rings[0].families[family].family_id}`)).size;
    assert.ok((await graph.innerText()).includes(`of ${pairs} lines`), await graph.innerText());
    assert.equal(await graph.locator('line.tie').count(), Number(/(\d+) of \d+ lines/.exec(await graph.innerText())[1]));
    const nights = page.getByRole('table', { name: 'Evidence by night' }).locator('tbody tr');
    assert.equal(await nights.count(), told.by_night.length);
    assert.ok((await nights.last().innerText()).includes(told.by_night.at(-1).log10_e.toFixed(1)));
  }));

test('order, filters and the chosen row stand in the address, and whoever is sent it sees the same', () =>
  on('analyst', { at: `/rings/${ring.id}?order=alike` }, async (page) => {
    await settled(page);
    assert.equal(await page.getByLabel('Order of the accounts').inputValue(), 'alike');
    const members = page.locator('.table', { has: page.locator('caption', { hasText: /^Members$/ }) });
    await members.getByRole('button', { name: 'Shared' }).click();
    await members.getByRole('button', { name: 'Shared' }).click();
    assert.match(page.url(), /order=alike&sort=members\.\d\.up$/);
    const row = members.locator('tbody tr').nth(4);
    const name = await row.locator('th').innerText();
    await row.locator('td').nth(1).click();
    assert.ok(page.url().endsWith(`#members/${name}`), page.url());
    const order = await members.locator('tbody th').allInnerTexts();
    await page.goto('about:blank');
    const sent = await desk.page(null, { at: '/' });
    await sent.context().close();
    await page.goBack();
    await settled(page);
    assert.deepEqual(await members.locator('tbody th').allInnerTexts(), order);
    await page.waitForFunction((wanted) => document.activeElement?.textContent === wanted, name);
    // A row that the table does not show at first is shown when an address names it.
    const last = desk.json('ring', ring.id).members.at(-1).account;
    await desk.go(page, `/rings/${ring.id}#members/${last}`);
    await page.reload();
    await settled(page);
    await page.waitForFunction((wanted) => document.activeElement?.textContent === wanted, last);
    await desk.go(page, '/rings?sort=rings.99.up&sort=%3Cscript%3E#%E0%A4%A');
    assert.equal(await page.getByRole('alert').count(), 0);
  }));

test('a case is assigned, and a question is kept and asked again', () =>
  on('analyst', { at: `/rings/${ring.id}` }, async (page) => {
    await settled(page);
    const hostile = '<b onclick=window.ran=1>\u202e';
    for (const name of [hostile, 'analyst of the tests']) {
      await page.getByRole('button', { name: /^Assign/ }).click();
      await page.getByLabel('Name', { exact: true }).fill(name);
      await page.getByRole('button', { name: 'Assign', exact: true }).last().click();
      await page
        .getByText(`Assigned to ${name.slice(0, 20)}`)
        .first()
        .waitFor();
      await settled(page);
    }
    assert.equal(desk.json('ring', ring.id).rings[0].assignee, 'analyst of the tests');
    const question = `Viaduct "><iframe srcdoc="<script>parent.ran=1</script>">`;
    await desk.go(page, `/search?${new URLSearchParams({ q: question, least_percent: '20' })}`);
    await page.getByRole('button', { name: 'Keep this question' }).click();
    await page.getByLabel('Name', { exact: true }).fill(hostile);
    assert.deepEqual(await breaches(page), []);
    await page.getByRole('button', { name: 'Keep', exact: true }).click();
    await page.getByRole('link', { name: 'All kept questions' }).click();
    await page.waitForURL(/\/cases$/);
    await settled(page);
    const kept = page.getByRole('table', { name: 'Kept questions' });
    assert.ok((await kept.innerText()).includes(question));
    assert.deepEqual(await breaches(page), []);
    await shot(page, 'cases-kept');
    await page.setViewportSize({ width: 390, height: 844 });
    assert.ok((await wide(page)) <= 0);
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.getByLabel('Whose cases').selectOption('mine');
    await page.waitForURL(/whose=mine$/);
    await settled(page);
    assert.ok((await page.getByRole('table', { name: /Rings with/ }).innerText()).includes(ring.id));
    await kept.getByRole('link').first().click();
    await page.waitForURL(/\/search/);
    await settled(page);
    assert.equal(await page.getByLabel('Prompt', { exact: true }).inputValue(), question);
    assert.equal(await page.getByLabel(/Similarity, at least/).inputValue(), '20');
    await page.goBack();
    await settled(page);
    await kept.getByRole('button', { name: /^Remove/ }).click();
    await page.getByText('No question is kept.').waitFor();
  }));

test('a note and a disposition are kept, with who and what, and hostile ones are text', () =>
  on('analyst', { at: `/rings/${ring.id}` }, async (page) => {
    await settled(page);
    const note = '<img src=x onerror=window.ran=1> seen by \u202e two of us';
    await page.getByLabel('Add a note').fill(note);
    await page.getByRole('button', { name: 'Add the note' }).click();
    await page.getByText('<img src=x onerror=window.ran=1> seen by').waitFor();
    await page.getByRole('button', { name: 'Judge this ring' }).click();
    await page.getByLabel('Disposition').selectOption('resale');
    await page.getByLabel('Why').fill('an access seller, by its sign-up page');
    assert.deepEqual(await breaches(page), []);
    await shot(page, 'judge', false);
    await page.getByRole('button', { name: 'Record the disposition' }).click();
    await page.getByText('Disposition: Resale of access.').waitFor();
    const kept = desk.json('ring', ring.id).rings[0];
    assert.equal(kept.disposition, 'resale');
    assert.ok(kept.notes.some((one) => one.text.includes('seen by') && one.author.includes('analyst of the tests')));
    await desk.go(page, '/cases');
    assert.match(await text(page), /an access seller/);
  }));

test('a reveal needs a purpose, is logged first and shown after', () =>
  on('analyst', { at: `/accounts/${account}` }, async (page) => {
    await settled(page);
    await page.getByRole('button', { name: /^Reveal its name/ }).click();
    await page.getByRole('button', { name: 'Log and reveal' }).click();
    assert.equal(page.asked.filter((one) => one.startsWith('POST /api/v1/reveal')).length, 0, 'nothing is asked without a purpose');
    await page.getByLabel('Purpose').fill('case 17');
    assert.deepEqual(await breaches(page), []);
    await shot(page, 'reveal', false);
    await page.getByRole('button', { name: 'Log and reveal' }).click();
    await page.getByText('Logged, then shown:').waitFor();
    assert.equal(page.asked.filter((one) => one.startsWith('POST /api/v1/reveal')).length, 1);
    await page.getByRole('button', { name: 'Close' }).click();
    assert.equal(await page.getByRole('dialog').count(), 0);
  }));

test('the result of a watermark test is opened in the browser and sent nowhere', () =>
  on('viewer', { at: '/watermark' }, async (page) => {
    await settled(page);
    const asked = page.asked.length;
    const hostile = '<img src=x onerror=window.ran=1>';
    const one = {
      scheme: 'gumbel',
      dialect: 'native',
      key_id: hostile,
      scored: 690,
      log10_p: -9.4,
      adjusted_log10_p: -8.8,
      m_tests: 4,
      method: 'gamma tail',
      p_kind: 'exact',
      power: 0.97,
      verdict: 'Marked',
      rule: hostile,
    };
    const decoys = { n: 200, windows: 690, rank_p: 0.004, uniformity_p: 0.77, quantiles: [-1.2, -0.3, -0.02] };
    const result = {
      schema: 1,
      input: { documents: 1, tokens: 992 },
      parameters: { alpha: 1e-6, adjustment: 'Holm' },
      results: [{ ...one, decoys }],
      statements: { null_hypothesis: 'the tokens were chosen without knowledge of the key' },
    };
    const give = (text) =>
      page.getByLabel('Result of a test, as JSON').setInputFiles({ name: 'r.json', mimeType: 'application/json', buffer: Buffer.from(text) });
    await give(JSON.stringify(result));
    await page.getByText('the tokens were chosen without knowledge of the key').waitFor();
    const said = await text(page);
    for (const words of ['Marked', '−8.8', '97.0%', '4 tests', hostile]) assert.ok(said.includes(words), words);
    assert.deepEqual(await breaches(page), []);
    await shot(page, 'watermark-result');
    // Two files, one with a curve and the band of its decoys, under a name that attacks.
    const curve = Array.from({ length: 64 }, (_, i) => ({ scored: 10 * (i + 1), log10_p: -0.15 * (i + 1) }));
    const drawn = { ...result, results: [{ ...one, key_id: 'k1', tokens: 992, curve, decoys: { ...decoys, band: curve.map(() => [-1.2, -0.02]) } }] };
    await page
      .getByLabel('Result of a test, as JSON')
      .setInputFiles(
        [`${hostile}.json`, 'two.json'].map((name) => ({ name, mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(drawn)) })),
      );
    const along = page.locator('figure', { hasText: 'along the text, against tokens' });
    await along.locator('polyline').nth(1).waitFor({ state: 'attached' });
    assert.equal(await along.locator('polyline').count(), 2);
    assert.equal(await along.locator('polygon').count(), 2);
    assert.ok((await text(page)).includes('one of 2'));
    assert.deepEqual(await breaches(page), []);
    await shot(page, 'watermark-two');
    for (const width of [390, 1280]) {
      await page.setViewportSize({ width, height: 900 });
      assert.ok((await wide(page)) <= 0);
    }
    // Documents and spans, named by the suspect; one whose numbers are missing or out of range breaks nothing.
    const span = { tokens: [96, 242], characters: [510, 1310], scored: 146, log10_p: -14.2, adjusted_log10_p: -9.6 };
    const document = { document: 0, name: hostile, tokens: 400, scored: 380, log10_p: -12.5, adjusted_log10_p: -11.9, named: true, spans: [span] };
    const places = {
      null_hypothesis: 'the tokens of the document were chosen without the key',
      method: 'the least p of any span',
      documents: 3,
      spans: 310,
      m_tests: 3,
      level: 1e-3,
      rule: 'adjusted p of at most 0.001',
      named: 1,
      named_not_listed: 0,
      posterior_is: null,
      list: [document, { ...document, name: null, named: false, spans: [{ tokens: [9, 'x'] }, null] }, { named: true, tokens: 1e300, spans: [{ tokens: [-5, 1e308] }] }],
    };
    await give(JSON.stringify({ ...result, results: [{ ...one, decoys, where: places }] }));
    const strips = page.locator('figure', { hasText: 'Where the mark stands' });
    await strips.locator('rect.bar').first().waitFor({ state: 'attached' });
    const [bar] = await strips.locator('rect.bar').evaluateAll((all) => all.map((r) => [r.x.baseVal.value, r.width.baseVal.value, r.ownerSVGElement.width.baseVal.value]));
    assert.ok(Math.abs(bar[0] / bar[2] - 96 / 400) < 0.01 && Math.abs(bar[1] / bar[2] - 146 / 400) < 0.01, String(bar));
    const where = await text(page);
    for (const words of ['1 of 3 documents named', 'adjusted p of at most 0.001', 'characters 510 to 1\u202f310', '−9.6', 'not named', hostile])
      assert.ok(where.includes(words), words);
    assert.deepEqual(await breaches(page), []);
    await shot(page, 'watermark-where');
    for (const width of [390, 1280]) {
      await page.setViewportSize({ width, height: 900 });
      assert.ok((await wide(page)) <= 0);
    }
    await give('{"results": [');
    await page.getByRole('alert').waitFor();
    assert.equal(page.asked.length, asked);
  }));

test('an account says with whom it shares and when it asks, as the command line counts it', () =>
  on('analyst', { at: `/accounts/${account}` }, async (page) => {
    await settled(page);
    const page_ = desk.json('account', account);
    // Recounted from the families themselves: only lists that hold all of them can be.
    assert.ok(page_.families.length < 50);
    const shared = new Map();
    for (const one of page_.families.filter((f) => f.accounts >= 2 && f.accounts <= 600)) {
      for (const member of desk.json('family', one.family_id).members) {
        if (member.account !== account) shared.set(member.account, (shared.get(member.account) ?? 0) + 1);
      }
    }
    assert.ok(page_.shares_with.length > 10);
    for (const one of page_.shares_with) assert.equal(one.families, shared.get(one.account), one.account);
    assert.equal(page_.shares_with[0].families, Math.max(...shared.values()));
    assert.equal(page_.hours.length, 24);
    const texts = page_.hours.reduce((a, b) => a + b, 0);
    assert.ok(texts > 0 && texts <= page_.requests, `${texts} of ${page_.requests}`);
    const table = page.getByRole('table', { name: 'Accounts that share families with it' });
    assert.equal(await table.locator('tbody tr').count(), page_.shares_with.length);
    assert.ok((await text(page)).includes('Texts by hour'));
  }));

test('a bundle is verified in the browser, and what was changed is named', () =>
  on('viewer', { at: '/evidence' }, async (page) => {
    await settled(page);
    const [result, bundle, secret, open] = ['ring.json', 'bundle', 'sign.pem', 'public.pem'].map((name) => join(desk.dir, name));
    writeFileSync(result, desk.run('ring', ring.id, '--store', desk.store, '--format', 'json'));
    writeFileSync(open, desk.run('evidence', 'keygen', '--out', secret));
    desk.run('evidence', 'bundle', result, '--store', desk.store, '--out', bundle, '--sign', secret);
    const asked = page.asked.length;
    const verify = async (key) => {
      await page.getByLabel('Directory of the bundle').setInputFiles(bundle);
      await page.getByLabel('Public key').setInputFiles(key);
      await page.getByRole('button', { name: 'Verify here' }).click();
    };
    await verify(open);
    await page.getByText('Verified.').waitFor();
    const manifest = JSON.parse(readFileSync(join(bundle, 'manifest.json'), 'utf8'));
    assert.ok((await text(page)).includes(manifest.tree));
    assert.equal(await page.getByRole('table', { name: 'Files of the bundle' }).locator('tbody tr').count(), Math.min(12, manifest.files.length));
    assert.deepEqual(await breaches(page), []);
    await shot(page, 'bundle');
    // One byte, of the first file and of the envelope; another key; a file that nobody named.
    const flipped = async (name, words) => {
      const path = join(bundle, name),
        bytes = readFileSync(path);
      const other = Buffer.from(bytes);
      other[other.length >> 1] ^= 1;
      writeFileSync(path, other);
      await verify(open);
      await page.getByRole('alert').getByText(words).waitFor();
      assert.equal(await page.getByText('Verified.').count(), 0);
      writeFileSync(path, bytes);
    };
    await flipped(manifest.files[0].name, `not verified: file: ${manifest.files[0].name}`);
    await flipped('manifest.json', 'not verified: manifest');
    await flipped('envelope.dsse.json', 'not verified: ');
    writeFileSync(join(bundle, 'more.txt'), 'more');
    await verify(open);
    await page.getByRole('alert').getByText('not verified: file: more.txt').waitFor();
    rmSync(join(bundle, 'more.txt'));
    const another = join(desk.dir, 'another.pem');
    writeFileSync(another, desk.run('evidence', 'keygen', '--out', join(desk.dir, 'another-sign.pem')));
    await verify(another);
    await page.getByRole('alert').getByText('another key signed it').waitFor();
    await verify(open);
    await page.getByText('Verified.').waitFor();
    assert.equal(page.asked.length, asked, 'nothing is sent');
  }));

test('texts are shown for a purpose only, which can be said at any time', () =>
  on('analyst', { purpose: '', at: `/families/${family.id}` }, async (page) => {
    await settled(page);
    const prompt = desk.json('family', family.id, '--key', desk.key).exchanges[0].prompt;
    assert.equal((await text(page)).includes(prompt), false);
    await page.getByRole('button', { name: 'say what for' }).first().click();
    await page.getByRole('textbox', { name: 'Purpose' }).fill('Fall 17, Größe');
    await page.getByRole('button', { name: 'Show texts' }).click();
    await page.getByRole('table', { name: 'Exchanges of this family' }).getByText(prompt).first().waitFor();
    await page.reload();
    await settled(page);
    assert.ok((await text(page)).includes(prompt));
    const admin = await desk.page('admin', { at: '/evidence' });
    await settled(admin);
    assert.match(await text(admin), /Fall 17, Größe/);
    assert.deepEqual(admin.saw, []);
    await admin.context().close();
  }));

test('a suggestion is confirmed in one click and its provenance', () =>
  on('analyst', { at: '/registry' }, async (page) => {
    await settled(page);
    const confirm = page.getByRole('button', { name: /^Confirm/ });
    assert.ok((await confirm.count()) > 0, 'the demonstration suggests a text');
    await confirm.first().click();
    await page.getByLabel('Name', { exact: true }).fill('<script>window.ran=1</script> app');
    await page.getByLabel('Provenance').fill('a ticket');
    await page.getByRole('button', { name: 'Register' }).last().click();
    await page.getByRole('rowheader', { name: '<script>window.ran=1</script> app' }).waitFor();
    assert.equal(desk.json('registry', 'list').entries.length, 1);
  }));

test('a viewer sees no raw text and is asked for none', () =>
  on('viewer', {}, async (page) => {
    for (const [, path] of views()) await desk.go(page, path);
    for (const never of ['reveal', 'custody', 'suggest'].map((name) => `/api/v1/${name}`)) {
      assert.ok(!page.asked.some((one) => one.includes(never)), `${never} is not asked`);
    }
    await desk.go(page, `/rings/${ring.id}`);
    for (const name of ['Judge this ring', 'Add the note', /^Reveal/])
      assert.equal(await page.getByRole('button', { name }).count(), 0, String(name));
    assert.deepEqual(await breaches(page), []);
    await shot(page, 'ring-viewer');
  }));

test('what is not there, and what a role may not see, is said with a way on', () =>
  on('analyst', { at: '/families/n0000000000000000' }, async (page) => {
    await settled(page);
    assert.match(await page.title(), /Not found/);
    await page.getByRole('link', { name: 'To tonight' }).click();
    await page.waitForURL(`${desk.url}/`);
    await settled(page);
    await desk.go(page, '/nowhere/at/all');
    assert.match(await page.title(), /Not found/);
    assert.deepEqual(await breaches(page), []);
  }));

for (const role of ['viewer', 'analyst']) {
  test(`hostile prompts are text in every view: ${role}`, () =>
    on(role, {}, async (page) => {
      const found = desk.json('family', 'list', '--since', '2025-03-08T00:00:00Z', '--most', '200').families;
      assert.ok(found.length >= 10, `${found.length} hostile families`);
      const check = async (name) => {
        await settled(page);
        await page.waitForTimeout(30);
        for (const width of [390, 1280]) {
          await page.setViewportSize({ width, height: 900 });
          assert.ok((await wide(page)) <= 0, `${name} is wider than a window of ${width}`);
        }
        assert.equal(await page.locator('main :is(script, iframe, img, object, embed, link, meta, style, base, form[action])').count(), 0, name);
        assert.equal(await page.evaluate(() => window.ran), undefined, name);
        assert.deepEqual(page.saw, [], name);
        assert.ok((await page.evaluate(() => document.documentElement.scrollHeight)) < 60000, `${name} is too tall`);
      };
      await desk.go(page, '/families?since=2025-03-08T00%3A00%3A00Z');
      await check('families');
      await shot(page, `hostile-families-${role}`);
      for (const one of found.slice(0, 30)) {
        await desk.go(page, `/families/${one.id}`);
        await check(`family ${one.template.slice(0, 30)}`);
      }
      if (role === 'viewer') return;
      for (const word of ['Nightingale', 'Marmalade']) {
        await desk.go(page, `/families/${found.find((f) => f.level === 'exact' && f.template.startsWith(word)).id}`);
        await check(word);
        assert.match(
          await page.getByRole('table', { name: 'Exchanges of this family' }).innerText(),
          /cut: 300 characters of \d\u202f\d\d\d\u202f\d\d\d bytes/,
        );
        await shot(page, `hostile-${word.toLowerCase()}`);
      }
      for (const [name, prompt] of PROMPTS) {
        await desk.go(page, '/search');
        await page.getByLabel('Prompt', { exact: true }).fill(prompt.slice(0, 300));
        await page.getByRole('button', { name: 'Search', exact: true }).click();
        await page.locator('.hits > li').first().waitFor();
        await check(`search ${name}`);
        const to = await page.locator('.hits > li').first().locator('a[href^="/accounts/"]').first().getAttribute('href');
        await desk.go(page, to);
        await check(`account of ${name}`);
      }
      await desk.go(page, '/');
      await check('tonight');
      await desk.go(page, '/map');
      await check('map');
      for (const path of ['/evidence', '/cases', '/registry', '/rings', `/rings/${ring.id}`]) {
        await desk.go(page, path);
        await check(path);
      }
    }));
}

test('hostile prompts are text in every file that leaves', () =>
  on('analyst', { at: '/watermark' }, async (page) => {
    await settled(page);
    const rows = PROMPTS.map(([name, prompt]) => ({
      scheme: name,
      key_id: prompt.slice(0, 40),
      log10_p: -1,
      adjusted_log10_p: -1,
      verdict: 'Inconclusive',
      rule: prompt,
    }));
    await page
      .getByLabel('Result of a test, as JSON')
      .setInputFiles({ name: 'r.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify({ results: rows })) });
    const [file] = await Promise.all([page.waitForEvent('download'), page.locator('figure').first().getByRole('button', { name: 'SVG' }).click()]);
    const svg = readFileSync(await file.path(), 'utf8');
    assert.ok(svg.includes('&lt;script&gt;'), 'a hostile name is drawn');
    const list = await desk.page('analyst', { at: '/families?since=2025-03-08T00%3A00%3A00Z' });
    await settled(list);
    const [table] = await Promise.all([list.waitForEvent('download'), list.getByRole('button', { name: 'CSV' }).click()]);
    const files = { 'families of the page': readFileSync(await table.path(), 'utf8') };
    await list.context().close();
    const get = (path) =>
      page.evaluate(async (path) => {
        const answer = await fetch(path, { headers: { 'Stillhunt-Purpose': 'a test of exports' } });
        return {
          status: answer.status,
          type: answer.headers.get('content-type'),
          named: answer.headers.get('content-disposition'),
          text: await answer.text(),
        };
      }, path);
    for (const [what, format] of [
      ['families', 'csv'],
      ['members', 'csv'],
      ['rings', 'csv'],
      ['families', 'json'],
      ['rings', 'json'],
      ['rings', 'stix'],
      ['rings', 'ocsf'],
      ['rings', 'misp'],
      ['rings', 'graphml'],
      ['rings', 'gexf'],
    ]) {
      const answer = await get(`/api/v1/export/${what}?format=${format}`);
      if (answer.status === 422) continue;
      assert.equal(answer.status, 200, `${what} ${format}: ${answer.text.slice(0, 300)}`);
      assert.match(answer.named, /^attachment/);
      assert.doesNotMatch(answer.type, /html/);
      if (format === 'csv') files[`${what}, exported`] = answer.text;
      else if (['graphml', 'gexf'].includes(format))
        assert.equal(
          await page.evaluate(
            (xml) => new DOMParser().parseFromString(xml, 'application/xml').querySelectorAll('parsererror, script').length,
            answer.text,
          ),
          0,
          format,
        );
      else for (const line of format === 'ocsf' ? answer.text.trim().split('\n') : [answer.text]) JSON.parse(line);
    }
    assert.equal(Object.keys(files).length, 4);
    for (const [name, csv] of Object.entries(files)) {
      // A cell starts a line, or follows a comma, with or without a quote.
      assert.doesNotMatch(csv, /(^|\n|,)"?[=+@|%]/, `${name} has no formula`);
      assert.doesNotMatch(
        csv,
        /[\u0000-\u0009\u000b\u000c\u000e-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/,
        `${name} has no control`,
      );
      assert.ok(csv.length < 4 << 20, `${name} is bounded`);
    }
    assert.ok(files['families of the page'].includes('HYPERLINK'));
    // The drawing by itself, opened as a document from a server that sets no policy: nothing in it runs or asks.
    const alone = await page.context().newPage();
    const asked = [];
    alone.on('request', (request) => asked.push(request.url()));
    await alone.route('http://drawing.test/**', (route) => route.fulfill({ contentType: 'image/svg+xml', body: svg }));
    await alone.goto('http://drawing.test/a.svg');
    await alone.waitForTimeout(200);
    assert.equal(await alone.evaluate(() => window.ran), undefined);
    assert.deepEqual(
      asked.filter((url) => url !== 'http://drawing.test/a.svg' && !url.endsWith('/favicon.ico')),
      [],
    );
  }));

test('views are usable within 300 ms', () =>
  on('analyst', {}, async (page) => {
    const slow = [];
    for (const [name, path] of views()) {
      await desk.go(page, path);
      let { usable } = await timed(page, path);
      // The machine may have other work: what is slow of itself is slow each time.
      if (usable > 300) ({ usable } = await timed(page, path, 8));
      if (usable > 300) slow.push(`${name} ${Math.round(usable)} ms`);
    }
    assert.deepEqual(slow, []);
  }));

test('a night that is committed meanwhile is offered, and shown when it is wanted', () =>
  on('analyst', { clock: true }, async (page) => {
    const night = Number(/night (\d+)/.exec(await page.title())[1]);
    desk.later();
    await page.clock.fastForward(61000);
    await page.getByText(`Night ${night + 1} is there`).waitFor();
    assert.deepEqual(await breaches(page), []);
    await shot(page, 'newer-night', false);
    await page.getByRole('button', { name: 'Show the new night' }).click();
    await page.waitForFunction((wanted) => document.title.startsWith(wanted), `Tonight: night ${night + 1}`);
    assert.equal(await page.getByText('is there;').count(), 0);
  }));

test('the server ends when it is asked to', async () => {
  assert.equal(await desk.end(), 0);
});
