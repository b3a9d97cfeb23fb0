// Dialogs: a form that asks, and the one that reveals.
//
// The idea: an act that changes something, or that shows what is otherwise hidden, is asked for in a dialog with its reason,
// sent once, and answered in the same dialog. Weakness: what was revealed stays until the dialog is closed. Guarantee:
// nothing is revealed before the server has logged who asked for it and why; it is never kept on the page behind.

import { h, put, shown, plain, PAGE } from './dom.js';
import { post, me, may } from './api.js';

let number = 0;

// A field of a form: `name`, `label`, and `kind` text, area, select or hidden; `value`, `options`, `required`, `hint`.
export function field({ name, label, kind = 'text', value = '', options = [], required = false, hint = null, ...more }) {
  number += 1;
  const id = `f${number}`,
    about = hint ? `${id}h` : null,
    shared = { id, name, required, 'aria-describedby': about, ...more };
  const control =
    kind === 'area'
      ? h('textarea', { rows: '4', ...shared }, value)
      : kind === 'select'
        ? h(
            'select',
            shared,
            options.map(([word, text]) => h('option', { value: word, selected: word === value }, text)),
          )
        : h('input', { type: kind, value, autocomplete: 'off', ...shared });
  return h('div', { class: 'field' }, h('label', { for: id }, label), control, hint && h('p', { class: 'hint', id: about }, hint));
}

export const values = (form) => Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]));

// What went wrong, in the server's words.
export const failure = (cause) =>
  h(
    'p',
    { class: 'error', role: 'alert' },
    h('b', null, shown(cause.message, { most: 400 })),
    cause.hint && h('span', null, shown(cause.hint, { most: 400 })),
  );

// Opens a dialog with a form. `submit(values)` gives what is shown in place of the form, or null to close.
export function ask({ title, intro, fields, act, submit, danger = false }) {
  const back = document.activeElement,
    said = h('div');
  const form = h(
    'form',
    { method: 'dialog', onsubmit: send },
    h('h2', { id: 'dialog-title' }, title),
    intro && h('p', { class: 'soft' }, intro),
    fields.map(field),
    said,
    h(
      'div',
      { class: 'acts' },
      h('button', { type: 'button', class: 'plain', onclick: () => box.close() }, 'Cancel'),
      h('button', { type: 'submit', class: danger ? 'act danger' : 'act' }, act),
    ),
  );
  const box = h(
    'dialog',
    {
      'aria-labelledby': 'dialog-title',
      onclose: () => {
        box.remove();
        if (back?.isConnected) back.focus();
      },
    },
    form,
  );
  async function send(event) {
    event.preventDefault();
    const button = form.querySelector('button[type=submit]');
    button.disabled = true;
    said.replaceChildren();
    try {
      const result = await submit(values(form));
      if (!result) {
        box.close();
        return;
      }
      box.replaceChildren(
        h('h2', { id: 'dialog-title', tabindex: '-1' }, title),
        result,
        h('div', { class: 'acts' }, h('button', { type: 'button', class: 'act', onclick: () => box.close() }, 'Close')),
      );
      box.querySelector('.acts button').focus();
    } catch (cause) {
      said.replaceChildren(failure(cause));
      button.disabled = false;
    }
  }
  document.body.append(box);
  box.showModal();
  form.querySelector('input, textarea, select')?.focus();
  return box;
}

// Opens a dialog that only tells.
export function tell(title, content) {
  const back = document.activeElement;
  const box = h(
    'dialog',
    {
      'aria-labelledby': 'dialog-title',
      onclose: () => {
        box.remove();
        if (back?.isConnected) back.focus();
      },
    },
    h('h2', { id: 'dialog-title' }, title),
    content,
    h('div', { class: 'acts' }, h('button', { type: 'button', class: 'act', onclick: () => box.close() }, 'Close')),
  );
  document.body.append(box);
  box.showModal();
  return box;
}

const NAMES = {
  note: 'Note',
  exchange_id: 'Exchange',
  account: 'Account',
  exchange: 'Exchange',
  name: 'Name',
  text: 'Prompt',
  prompt: 'Prompt',
  response: 'Response',
  system: 'System prompt',
  end_user: 'End user',
  time: 'Time',
  logged: 'Row of the access log',
  seq: 'Row of the access log',
  log_row: 'Row of the access log',
  purpose: 'Purpose',
  model: 'Model',
};

function told(answer) {
  const out = h('dl', { class: 'told' });
  for (const [name, value] of Object.entries(answer ?? {})) {
    if (value === null || value === undefined || name === 'schema' || typeof value === 'object') continue;
    put(out, h('dt', null, NAMES[name] ?? name), h('dd', null, shown(String(value), { most: PAGE, lines: true })));
  }
  return out;
}

// Asks what texts are wanted for, and shows the view again with them.
export function sayPurpose() {
  ask({
    title: 'What are texts wanted for?',
    act: 'Show texts',
    intro:
      'Texts of prompts are shown for a purpose. Each view that shows them is written to the access log with your name and this purpose, until you sign out.',
    fields: [
      {
        name: 'purpose',
        label: 'Purpose',
        value: me.said ?? me.purpose ?? '',
        required: true,
        hint: 'For example the number of the case.',
        maxlength: '160',
      },
    ],
    submit: async ({ purpose }) => {
      me.said = purpose.trim() || null;
      document.dispatchEvent(new Event('purpose'));
      return null;
    },
  });
}

// Why a text is not shown, and what to do.
export const withheld = () =>
  may('text')
    ? h(
        'span',
        { class: 'soft' },
        'Withheld until you ',
        h(
          'button',
          {
            type: 'button',
            class: 'plain',
            onclick: (event) => {
              event.preventDefault();
              sayPurpose();
            },
          },
          'say what for',
        ),
      )
    : h('em', { class: 'soft' }, 'Withheld for your role');

// A button that reveals `what` ('account' or 'exchange') for a purpose; nothing for a role that may not.
export function reveal(what, id, label = 'Reveal') {
  if (!may('reveal')) return null;
  const title = what === 'account' ? 'Reveal the account’s name' : 'Reveal the raw text';
  return h(
    'button',
    {
      type: 'button',
      class: 'plain reveal',
      'aria-label': `${label} ${plain(id, 40)}`,
      onclick: () =>
        ask({
          title,
          act: 'Log and reveal',
          intro: `What you ask for is written to the access log with your name (${me.name}), the time and this purpose before anything is shown.`,
          fields: [
            { name: 'purpose', label: 'Purpose', kind: 'area', required: true, hint: 'For example the number of the case.', maxlength: '500' },
          ],
          submit: async ({ purpose }) =>
            h('div', null, h('p', { class: 'soft' }, 'Logged, then shown:'), told(await post('/reveal', { [what]: id, purpose }))),
        }),
    },
    label,
  );
}
