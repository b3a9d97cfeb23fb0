// The desk's page: log-in, the frame around every view, addresses, and keys.
//
// The idea: an address is a view; a view is a function that asks the server and gives nodes. Going back is the browser's own,
// and puts the page where it was. Weakness: no view is kept, so each visit asks again. Guarantee: an answer that comes after
// somebody left its view is dropped, and a view that fails says so in the server's words with a way on.

import { h, put, plain, count } from './dom.js';
import { get, post, remove, on, me, may } from './api.js';
import { field, failure, tell, values, sayPurpose } from './dialog.js';
import { head } from './parts.js';
import { choose, chosen } from './address.js';
import * as tonight from './tonight.js';
import * as search from './search.js';
import * as families from './families.js';
import * as ring from './ring.js';
import * as account from './account.js';
import * as registry from './registry.js';
import * as evidence from './evidence.js';
import * as cases from './cases.js';
import * as map from './map.js';
import * as watermark from './watermark.js';

// Addresses, with what may be asked; `nav` is the name in the list at the side and `key` follows `g`.
const VIEWS = [
  { path: /^\/$/, href: '/', nav: 'Tonight', key: 't', view: tonight.view },
  { path: /^\/search$/, href: '/search', nav: 'Search', key: 's', view: search.view },
  { path: /^\/rings$/, href: '/rings', nav: 'Rings', key: 'r', view: ring.list },
  { path: /^\/rings\/([a-z0-9-]{1,64})$/, under: '/rings', view: ring.one },
  { path: /^\/families$/, href: '/families', nav: 'Families', key: 'f', view: families.list },
  { path: /^\/families\/([a-z0-9-]{1,64})$/, under: '/families', view: families.one },
  { path: /^\/accounts\/([a-z0-9-]{1,64})$/, under: '', view: account.view },
  { path: /^\/cases$/, href: '/cases', nav: 'Cases', key: 'c', view: cases.view },
  { path: /^\/registry$/, href: '/registry', nav: 'Registry', key: 'i', view: registry.view },
  { path: /^\/evidence$/, href: '/evidence', nav: 'Evidence', key: 'e', view: evidence.view },
  { path: /^\/map$/, href: '/map', nav: 'Map', key: 'm', view: map.view },
  { path: /^\/watermark$/, href: '/watermark', nav: 'Watermark', key: 'w', view: watermark.view },
];

const keep = {
  get: (name) => {
    try {
      return localStorage.getItem(name);
    } catch {
      return null;
    }
  },
  set: (name, value) => {
    try {
      localStorage.setItem(name, value);
    } catch {
      /* a browser that keeps nothing */
    }
  },
};
const tab = {
  get: (name) => {
    try {
      return sessionStorage.getItem(name);
    } catch {
      return null;
    }
  },
  set: (name, value) => {
    try {
      sessionStorage.setItem(name, value);
    } catch {
      /* kept while the page stays */
    }
  },
};
let main = null,
  leave = null,
  keys = keep.get('keys') !== 'off';
let night = 0,
  newer = 0;

const title = (words) => {
  document.title = `${plain(words, 80)} · stillhunt`;
};

// Shows the view of the address that the browser is at.
async function show({ back = false, focus = true } = {}) {
  leave?.abort();
  const mine = (leave = new AbortController()),
    signal = mine.signal;
  const address = new URL(location.href),
    found = VIEWS.find((view) => view.path.test(address.pathname));
  const top = back ? (history.state?.top ?? 0) : 0;
  mark(found);
  main.setAttribute('aria-busy', 'true');
  const slow = setTimeout(() => {
    if (!signal.aborted) main.replaceChildren(h('p', { class: 'loading', role: 'status' }, 'Asking the store …'));
  }, 250);
  const again = () => show({ focus: false });
  let made;
  try {
    if (!found) made = lost();
    else {
      const id = found.path.exec(address.pathname)[1] ?? null;
      made = await found.view({
        id,
        query: address.searchParams,
        signal,
        go,
        again,
        replace: (url, words) => {
          if (!signal.aborted) {
            history.replaceState({ top: 0 }, '', url);
            title(words);
          }
        },
      });
    }
  } catch (cause) {
    if (signal.aborted || cause.name === 'AbortError' || cause.status === 401) {
      clearTimeout(slow);
      return;
    }
    made = fault(cause);
  }
  clearTimeout(slow);
  if (signal.aborted) return;
  night = newer || night;
  banner();
  const kept = focus ? 0 : scrollY;
  title(made.title);
  main.replaceChildren();
  put(main, made.nodes);
  main.removeAttribute('aria-busy');
  const row = chosen() !== '';
  if (focus) {
    const target = made.focus ? main.querySelector(made.focus) : main.querySelector('h1');
    target?.focus({ preventScroll: true });
  }
  if (made.later && (top > 0 || row)) await made.later;
  if (signal.aborted) return;
  scrollTo(0, focus ? top : kept);
  if (focus && row) pick(top === 0);
}

// Puts the reader on the row that the address names.
function pick(scroll) {
  const row = main.querySelector(`[data-row="${CSS.escape(chosen())}"]`),
    control = row && controlOf(row);
  control?.focus({ preventScroll: true });
  if (scroll) row?.scrollIntoView({ block: 'center' });
}

const lost = () => ({
  title: 'Not found',
  nodes: [
    head('Not found', 'There is nothing at this address', 'An address is that of a view, a family, a ring or an account.'),
    h('p', null, h('a', { class: 'act', href: '/' }, 'To tonight')),
  ],
});

function fault(cause) {
  const words =
    cause.status === 404
      ? ['Not found', 'The store has nothing of this name']
      : cause.status === 403
        ? ['Withheld', 'Your role may not see this']
        : ['No answer', 'This view could not be shown'];
  return {
    title: words[0],
    nodes: [
      head(words[0], words[1], null),
      failure(cause),
      h(
        'p',
        { class: 'acts' },
        cause.status !== 403 && h('button', { type: 'button', class: 'act', onclick: () => show() }, 'Try again'),
        h('a', { class: 'plain', href: '/' }, 'To tonight'),
      ),
    ],
  };
}

const remember = () => history.replaceState({ ...history.state, top: scrollY }, '');

// Goes to an address of this page.
function go(url, { keep: stay = false } = {}) {
  document.querySelectorAll('dialog').forEach((box) => box.close());
  remember();
  if (url === location.pathname + location.search) history.replaceState({ top: 0 }, '', url);
  else history.pushState({ top: 0 }, '', url);
  return show({ focus: !stay });
}

function mark(found) {
  const here = found?.href ?? found?.under ?? '';
  document
    .querySelectorAll('nav a')
    .forEach((a) =>
      a.getAttribute('href') === here ? a.setAttribute('aria-current', found?.href ? 'page' : 'true') : a.removeAttribute('aria-current'),
    );
  // On a phone the row of views is wider than the window.
  const at = document.querySelector('nav a[aria-current]'),
    row = at?.closest('nav');
  if (row && row.scrollWidth > row.clientWidth)
    row.scrollLeft += at.getBoundingClientRect().left - row.getBoundingClientRect().left - (row.clientWidth - at.offsetWidth) / 2;
}

function banner() {
  const place = document.getElementById('banner');
  if (!place) return;
  document.getElementById('night')?.replaceChildren(night ? `Night ${count(night)}` : '');
  place.replaceChildren();
  if (newer > night && night > 0) {
    put(
      place,
      h(
        'p',
        { class: 'newer' },
        `Night ${count(newer)} is there; this page shows night ${count(night)}. `,
        h(
          'button',
          {
            type: 'button',
            class: 'act small',
            onclick: () => {
              night = newer;
              show({ focus: false });
            },
          },
          'Show the new night',
        ),
      ),
    );
  }
}

on('night', (n) => {
  if (n > newer) newer = n;
  if (!night) night = n;
  banner();
});
on('out', () => {
  if (me.role) {
    me.role = '';
    login('The session has ended. Sign in again; you will be where you were.');
  }
});

// The frame: a list of views at the side, and the place of the view.
function frame() {
  main = h('main', { id: 'main', tabindex: '-1' });
  document.body.replaceChildren();
  put(
    document.body,
    h('a', { class: 'skip', href: '#main' }, 'Skip to the view'),
    h(
      'header',
      { class: 'side' },
      h('a', { class: 'brand', href: '/' }, 'stillhunt'),
      h(
        'form',
        {
          class: 'quick',
          role: 'search',
          onsubmit: (event) => {
            event.preventDefault();
            const q = values(event.currentTarget).q;
            event.currentTarget.reset();
            go(`/search${q ? `?${new URLSearchParams({ q })}` : ''}`);
          },
        },
        h('input', {
          type: 'search',
          name: 'q',
          placeholder: 'Search prompts',
          'aria-label': 'Search prompts',
          autocomplete: 'off',
          spellcheck: 'false',
          maxlength: '1500',
        }),
        h('kbd', { 'aria-hidden': 'true' }, '/'),
      ),
      h(
        'nav',
        { 'aria-label': 'Views' },
        VIEWS.filter((view) => view.nav).map((view) => h('a', { href: view.href }, view.nav)),
      ),
      h(
        'div',
        { class: 'who' },
        h('p', { id: 'night' }),
        h('p', null, plain(me.name, 30), h('span', { class: 'soft' }, ` ${me.role}`)),
        may('text') && h('p', { id: 'purpose' }),
        h('button', { type: 'button', class: 'plain', onclick: help }, 'Keys'),
        ' ',
        h('button', { type: 'button', class: 'plain', onclick: out }, 'Sign out'),
      ),
    ),
    h('div', { class: 'stage' }, h('div', { id: 'banner', role: 'status' }), main, h('p', { id: 'printed' })),
  );
  banner();
  purpose();
}

// What texts are shown for, beside the name of whoever reads them.
function purpose() {
  const place = document.getElementById('purpose'),
    what = me.said ?? me.purpose;
  place?.replaceChildren();
  if (place)
    put(
      place,
      what && h('span', { class: 'soft' }, 'Texts for ', plain(what, 40), ' '),
      h('button', { type: 'button', class: 'plain', onclick: sayPurpose }, what ? 'Change' : 'Purpose of texts'),
    );
}
document.addEventListener('purpose', () => {
  tab.set('purpose', me.said ?? '');
  purpose();
  show({ focus: false });
});

async function out() {
  await remove('/session', { quiet: true }).catch(() => null);
  me.role = '';
  me.said = null;
  tab.set('purpose', '');
  history.replaceState({ top: 0 }, '', '/');
  login();
}

function login(why = null) {
  leave?.abort();
  document.querySelectorAll('dialog').forEach((box) => box.close());
  title('Sign in');
  const said = h('div'),
    provider = h('p');
  // A desk that knows an identity provider offers it; others answer that there is no such route.
  get('/oidc', { quiet: true }).then(
    ({ enabled }) =>
      enabled &&
      put(
        provider,
        'or ',
        h(
          'a',
          {
            href: '/api/v1/oidc/login',
            onclick: (event) => {
              event.preventDefault();
              const purpose = values(form).purpose.trim();
              location.assign(`/api/v1/oidc/login${purpose ? `?${new URLSearchParams({ purpose })}` : ''}`);
            },
          },
          'sign in with your organisation’s account',
        ),
      ),
    () => null,
  );
  const form = h(
    'form',
    { class: 'login', onsubmit: send },
    h('p', { class: 'brand' }, 'stillhunt'),
    h('h1', { tabindex: '-1' }, 'Sign in to the desk'),
    why && h('p', { class: 'soft' }, why),
    field({
      name: 'token',
      label: 'Access token',
      kind: 'password',
      required: true,
      hint: 'Whoever runs this desk gives you one. The page keeps it nowhere.',
      autocomplete: 'current-password',
    }),
    field({
      name: 'purpose',
      label: 'Purpose, if you will read texts',
      hint: 'For example the number of a case. Each text that you are shown is logged with it; without it texts are withheld.',
      maxlength: '500',
    }),
    said,
    h('button', { type: 'submit', class: 'act' }, 'Sign in'),
    provider,
  );
  async function send(event) {
    event.preventDefault();
    const button = form.querySelector('button');
    button.disabled = true;
    try {
      const { token, purpose } = values(form);
      const session = await post('/session', { token: token.trim(), ...(purpose.trim() && { purpose: purpose.trim() }) }, { quiet: true });
      await start(session);
    } catch (cause) {
      said.replaceChildren(failure(cause));
      button.disabled = false;
      form.querySelector('input').focus();
    }
  }
  document.body.replaceChildren(h('main', { class: 'lone' }, form));
  form.querySelector('input').focus();
}

async function start(session) {
  const known = session?.role ? session : await get('/session', { quiet: true });
  Object.assign(me, {
    name: known.name ?? '',
    role: known.role,
    purpose: known.purpose ?? null,
    k: known.k ?? 0,
    said: tab.get('purpose') || null,
  });
  frame();
  await show();
}

function help() {
  const rows = [
    ['/', 'Search'],
    ['j, k', 'Next row, row before'],
    ['Enter', 'Open the row'],
    [
      'g, then a letter',
      VIEWS.filter((view) => view.key)
        .map((view) => `${view.key} ${view.nav}`)
        .join(', '),
    ],
    ['?', 'These keys'],
    ['Esc', 'Close, or leave a field'],
  ];
  tell(
    'Keys',
    h(
      'div',
      null,
      h(
        'table',
        { class: 'keys' },
        h('caption', { class: 'hide' }, 'Keys'),
        h(
          'tbody',
          null,
          rows.map(([key, what]) => h('tr', null, h('th', { scope: 'row' }, h('kbd', null, key)), h('td', null, what))),
        ),
      ),
      h(
        'p',
        null,
        h(
          'label',
          null,
          h('input', {
            type: 'checkbox',
            checked: keys,
            onchange: (event) => {
              keys = event.target.checked;
              keep.set('keys', keys ? 'on' : 'off');
            },
          }),
          ' Single keys act (this browser remembers it)',
        ),
      ),
    ),
  );
}

// The rows that j and k walk: the first control of each.
const controlOf = (row) => row.querySelector('th a, td a, .meta a, a, button');
const rows = () => [...main.querySelectorAll('[data-row]')].map(controlOf).filter((control) => control && control.offsetParent !== null);

// The row where the reader is stands in the address; a click beside its links puts them there.
document.addEventListener('focusin', (event) => {
  const row = main?.isConnected && event.target.closest?.('main [data-row]');
  if (row) choose(row.dataset.row);
});
document.addEventListener('click', (event) => {
  const row = main?.isConnected && event.target.closest?.('main [data-row]');
  if (row && !event.target.closest('a, button, summary, details, input') && String(getSelection()) === '')
    controlOf(row)?.focus({ preventScroll: true });
});

let went = 0;
document.addEventListener('keydown', (event) => {
  if (!main?.isConnected || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if (event.key === 'Escape' && typing) {
    event.target.blur();
    return;
  }
  if (typing || !keys) return;
  const target = event.timeStamp - went < 1200 ? VIEWS.find((view) => view.key === event.key) : null;
  went = event.key === 'g' ? event.timeStamp : 0;
  if (target) {
    event.preventDefault();
    go(target.href);
    return;
  }
  if (event.key === '/') {
    event.preventDefault();
    const field = main.querySelector('form.search textarea') ?? document.querySelector('.quick input');
    field.focus();
    field.select();
  } else if (event.key === '?') {
    event.preventDefault();
    help();
  } else if (event.key === 'j' || event.key === 'k') {
    const list = rows();
    if (list.length === 0) return;
    event.preventDefault();
    const row = document.activeElement?.closest?.('[data-row]'),
      at = row ? list.findIndex((control) => row.contains(control)) : -1;
    const next = list[at < 0 ? (event.key === 'j' ? 0 : list.length - 1) : Math.min(list.length - 1, Math.max(0, at + (event.key === 'j' ? 1 : -1)))];
    next.focus();
    next.closest('[data-row]').scrollIntoView({ block: 'nearest' });
  }
});

document.addEventListener('click', (event) => {
  const a = event.target.closest?.('a[href]');
  if (
    !a ||
    event.defaultPrevented ||
    event.button !== 0 ||
    event.ctrlKey ||
    event.metaKey ||
    event.shiftKey ||
    event.altKey ||
    a.hasAttribute('download')
  )
    return;
  const href = a.getAttribute('href');
  if (!href.startsWith('/') || !main?.isConnected) return;
  event.preventDefault();
  go(href);
});

addEventListener('popstate', () => {
  if (main?.isConnected) show({ back: true });
});
// What an exhibit must say of itself.
addEventListener('beforeprint', () =>
  document
    .getElementById('printed')
    ?.replaceChildren(
      `stillhunt, night ${count(night)}; ${location.pathname}${plain(location.search, 200)}; printed ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC by `,
      plain(me.name, 60),
    ),
);

let rest = 0;
addEventListener(
  'scroll',
  () => {
    clearTimeout(rest);
    rest = setTimeout(() => {
      if (main?.isConnected && !main.hasAttribute('aria-busy')) remember();
    }, 120);
  },
  { passive: true },
);
history.scrollRestoration = 'manual';

// A page that is looked at asks now and then whether there is a newer night.
setInterval(() => {
  if (me.role && document.visibilityState === 'visible') get('/nights', { quiet: true, query: { limit: 1 } }).catch(() => null);
}, 60000);

get('/session', { quiet: true })
  .then(start)
  .catch((cause) => login(cause.status === 0 ? cause.message : null));
