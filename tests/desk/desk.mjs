// What the tests of the page stand on: a store of the demonstration log, a server, a browser that tells what it saw.
//
// The idea: everything is the real thing, from the audit to the pixels. Weakness: it needs the built program and Chromium.
// Guarantee: a page that asks another host, reports a breach of its policy or throws makes the test fail that looked at it.

import { spawn, execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync, readFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import { log } from './hostile.mjs';

const root = new URL('../..', import.meta.url).pathname;
const require = createRequire(join(process.env.DESK_MODULES ?? root, 'none.js'));
const { chromium } = require('playwright-core');
const axe = require.resolve('axe-core/axe.min.js');
const program = process.env.STILLHUNT ?? join(root, 'target/release/stillhunt');
const shots = process.env.DESK_SHOTS || null;

export const ROLES = ['viewer', 'analyst', 'admin'];

export class Desk {
  // On a store that is there already, which is only read, or on one of the demonstration logs.
  async open({ hostile = true, store = null, key = null } = {}) {
    this.dir = mkdtempSync(join(tmpdir(), 'stillhunt-desk-'));
    this.store = store ?? join(this.dir, 'store');
    this.key = key ?? join(this.dir, 'account.key');
    if (!store) {
      const logs = join(root, 'data/demo/logs');
      for (const name of readdirSync(logs).sort()) this.audit(join(logs, name));
    }
    if (hostile && !store) {
      const path = join(this.dir, 'hostile.jsonl');
      writeFileSync(path, log('2025-03-08'));
      this.audit(path);
    }
    const tokens = join(this.dir, 'tokens.toml');
    this.tokens = Object.fromEntries(
      ROLES.map((role) => [role, this.run('serve', 'token', 'add', '--tokens', tokens, '--role', role, '--name', `${role} of the tests`).trim()]),
    );
    this.server = spawn(program, ['serve', '--store', this.store, '--key', this.key, '--tokens', tokens, '--listen', '127.0.0.1:0'], {
      stdio: ['ignore', 'pipe', process.env.DESK_LOG ? 'inherit' : 'ignore'],
    });
    const line = await new Promise((found, lost) => {
      createInterface({ input: this.server.stdout }).once('line', found);
      this.server.once('exit', (code) => lost(new Error(`the server ended with ${code} before it answered`)));
    });
    this.url = JSON.parse(line).url.replace(/\/$/, '');
    this.browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] });
    return this;
  }

  run(...args) {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28 });
  }
  json(...args) {
    return JSON.parse(this.run(...args, '--store', this.store, '--format', 'json'));
  }
  audit(path) {
    this.run('audit', path, '--store', this.store, '--key', this.key);
  }

  // A page of its own, signed in as `role`, or at the form where there is none.
  async page(role, { at = '/', width = 1280, height = 900, dark = false, clock = false, purpose, scale = 1 } = {}) {
    const context = await this.browser.newContext({
      viewport: { width, height },
      deviceScaleFactor: scale,
      colorScheme: dark ? 'dark' : 'light',
      acceptDownloads: true,
      reducedMotion: 'reduce',
    });
    const page = await context.newPage();
    page.setDefaultTimeout(10000);
    page.saw = [];
    page.asked = [];
    page.on('request', (request) => {
      page.asked.push(`${request.method()} ${new URL(request.url()).pathname}`);
      if (!request.url().startsWith(`${this.url}/`) && !request.url().startsWith('blob:')) page.saw.push(`asked ${request.url()}`);
    });
    page.on('pageerror', (error) => page.saw.push(`threw ${error.message}`));
    page.on('dialog', (dialog) => {
      page.saw.push(`opened ${dialog.message()}`);
      dialog.dismiss();
    });
    page.on('console', (message) => {
      if (message.type() === 'error' && !/status of (401|403|404|422|429)/.test(message.text())) page.saw.push(`said ${message.text()}`);
    });
    if (clock) await page.clock.install();
    await page.goto(this.url + at);
    if (role) await this.signIn(page, role, purpose);
    return page;
  }

  async signIn(page, role, purpose = 'a test of the page') {
    await page.getByLabel('Access token').fill(this.tokens[role]);
    await page.getByLabel('Purpose').fill(purpose);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.locator('.side').waitFor({ timeout: 60000 });
    await settled(page);
  }

  // Goes to a view as a link of the page would, and waits until it stands.
  async go(page, path) {
    await page.goto(this.url + path);
    await settled(page);
  }

  // Commits another night while the server runs.
  later() {
    const path = join(this.dir, 'later.jsonl');
    writeFileSync(
      path,
      `${JSON.stringify({ id: 'later', account: 'late', time: '2025-03-09T08:00:00Z', prompt: 'What is the tallest tree of this country, and how old is it?', response: 'It depends.' })}\n`,
    );
    this.audit(path);
  }

  // Ends the server as a service manager does, and gives its exit status.
  async end() {
    if (this.server.exitCode !== null) return this.server.exitCode;
    const ended = new Promise((end) => this.server.once('exit', end));
    this.server.kill('SIGTERM');
    return ended;
  }

  async close() {
    await this.browser?.close();
    if (this.server) await this.end();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export async function settled(page) {
  await page.waitForSelector('main h1');
  await page.waitForFunction(() => !document.querySelector('[aria-busy]'));
}

// Milliseconds from a click on a link to a view that can be used, and until its last part stands: the least of `times`, since the
// machine may have other work.
export async function timed(page, path, times = 3) {
  const once = () =>
    page.evaluate(async (path) => {
      const until = (done) =>
        new Promise((end) => {
          const look = () => (done() ? end() : requestAnimationFrame(look));
          requestAnimationFrame(look);
        });
      const link = document.createElement('a');
      link.href = path;
      document.body.append(link);
      history.replaceState({}, '', '/nowhere');
      const start = performance.now();
      link.click();
      await until(() => document.querySelector('main h1') && !document.querySelector('main').hasAttribute('aria-busy'));
      const usable = performance.now() - start;
      await until(() => !document.querySelector('[aria-busy]'));
      link.remove();
      return { usable, whole: performance.now() - start };
    }, path);
  const all = [];
  for (let n = 0; n < times; n += 1) all.push(await once());
  return { usable: Math.min(...all.map((one) => one.usable)), whole: Math.min(...all.map((one) => one.whole)) };
}

// Breaches of accessibility on the page as it stands, one line each: of all rules of WCAG A and AA and of good practice, or of those that are named.
export async function breaches(page, rules = null) {
  // The policy of the page forbids a script from the test; the protocol of the browser may evaluate one.
  await page.evaluate(readFileSync(axe, 'utf8'));
  const only = rules ?? ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
  const found = await page.evaluate((runOnly) => window.axe.run(document, { runOnly, resultTypes: ['violations'] }), only);
  return found.violations.map(
    (v) =>
      `${v.id}: ${v.nodes
        .slice(0, 3)
        .map((n) => n.target.join(' '))
        .join(', ')}`,
  );
}

// Keeps a picture, where a folder for them was given.
export async function shot(page, name, fullPage = true) {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`), fullPage });
}
