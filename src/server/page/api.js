// Asks the server, and tells the page what it must know of every answer: which night it is of, and when the session ended.
//
// The idea: one door to the network. A failure carries the server's own code, message and hint, and the page shows those.
// Weakness: none of the answers is kept, so going back asks again. Guarantee: only paths of this server's API are asked,
// the token is in the body of one request and nowhere else, and whatever changes something says that this page sent it.

const API = '/api/v1';
const listeners = { night: [], out: [] };
export const on = (what, call) => listeners[what].push(call);
const tell = (what, value) => listeners[what].forEach((call) => call(value));

export class Failure extends Error {
  constructor(status, error) {
    super(error?.message ?? `the server answered with status ${status}`);
    this.status = status;
    this.code = error?.code ?? String(status);
    this.hint = error?.hint ?? '';
  }
}

// Waits, unless what is waited for is wanted no longer.
const wait = (seconds, signal) =>
  new Promise((done, stop) => {
    const timer = setTimeout(done, seconds * 1000);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      stop(new DOMException('left', 'AbortError'));
    });
  });

// Times that a request is sent again when the server says that too many came.
const AGAIN = 3;

async function ask(method, path, { query, body, signal, quiet, tries = AGAIN } = {}) {
  const url = new URL(API + path, location.origin);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== null && value !== undefined && value !== '' && value !== false) url.searchParams.set(name, value);
  }
  const headers = { Accept: 'application/json' };
  if (method !== 'GET') headers['Stillhunt-Desk'] = '1';
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  // A header holds bytes: those of UTF-8, each as a character.
  if (me.said) headers['Stillhunt-Purpose'] = String.fromCharCode(...new TextEncoder().encode(me.said));
  let answer;
  try {
    answer = await fetch(url, {
      method,
      headers,
      signal,
      credentials: 'same-origin',
      redirect: 'error',
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (cause) {
    if (cause.name === 'AbortError') throw cause;
    throw new Failure(0, {
      code: 'unreachable',
      message: 'the server does not answer',
      hint: 'It may be restarting. Try again, or ask whoever runs it.',
    });
  }
  // Nothing was done yet where too many came, so every request may be sent again.
  if (answer.status === 429 && tries > 0) {
    await wait(Math.min(5, Number(answer.headers.get('Retry-After')) || 1), signal);
    return ask(method, path, { query, body, signal, quiet, tries: tries - 1 });
  }
  const night = Number(answer.headers.get('Stillhunt-Night'));
  if (night > 0) tell('night', night);
  if (answer.status === 204) return null;
  let value = null;
  try {
    value = await answer.json();
  } catch (cause) {
    if (cause.name === 'AbortError') throw cause;
  }
  if (!answer.ok) {
    if (answer.status === 401 && !quiet) tell('out');
    throw new Failure(answer.status, value?.error);
  }
  return value;
}

export const get = (path, options) => ask('GET', path, options);
export const post = (path, body, options) => ask('POST', path, { ...options, body });
export const remove = (path, options) => ask('DELETE', path, options);

// All rows of a list that the server gives in pages.
export async function every(path, list, query, signal) {
  const rows = [];
  for (let cursor = null; ; ) {
    const page = await get(path, { signal, query: { ...query, cursor } });
    rows.push(...(page[list] ?? []));
    cursor = page.next;
    if (!cursor) return rows;
  }
}

// Runs `call` over `items`, a few at a time, in order; what fails gives null.
export async function each(items, call, atOnce = 4) {
  const out = new Array(items.length).fill(null);
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const i = next;
      next += 1;
      try {
        out[i] = await call(items[i], i);
      } catch (cause) {
        if (cause.name === 'AbortError') throw cause;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  return out;
}

// Who is signed in; what they said on signing in that they want texts for, and what they said since, which goes before it.
export const me = { name: '', role: '', purpose: null, said: null, k: 0 };
const RANK = { viewer: 0, analyst: 1, admin: 2 };
// What each act needs. The server decides; this only keeps the page from asking for what it would be refused.
const NEEDS = { text: 1, account: 1, reveal: 1, note: 1, dispose: 1, assign: 1, save: 1, registry: 1, custody: 1, unregister: 2, log: 2 };
export const may = (act) => (RANK[me.role] ?? -1) >= (NEEDS[act] ?? 2);
