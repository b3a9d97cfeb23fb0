// What of a view's state stands in its address: how a table is sorted, how a chart is ordered, which row is chosen.
//
// The idea: whoever is sent the address sees the same, so each choice replaces the address and adds no step to go back over.
// Weakness: a row that is not loaded cannot be chosen by an address. Guarantee: what stands in an address is a word that a
// view compares with its own, never text that is shown.

const asked = () => new URLSearchParams(location.search);
const replace = (url) => history.replaceState(history.state, '', url);

// A choice of a view by its name; null where the address has none.
export const kept = (name) => asked().get(name);
export function keep(name, value) {
  const url = new URL(location.href);
  if (value === null || value === '') url.searchParams.delete(name);
  else url.searchParams.set(name, value);
  replace(url);
}

// The order of a table: `sort=NAME.COLUMN.up`, one for each table that was sorted.
export function order(name) {
  for (const one of asked().getAll('sort')) {
    const [, table, at, way] = /^([a-z0-9-]{1,40})\.(\d{1,2})\.(up|down)$/.exec(one) ?? [];
    if (table === name) return { at: Number(at), up: way === 'up' };
  }
  return null;
}
export function reorder(name, { at, up }) {
  const url = new URL(location.href),
    others = url.searchParams.getAll('sort').filter((one) => !one.startsWith(`${name}.`));
  url.searchParams.delete('sort');
  for (const one of [...others, `${name}.${at}.${up ? 'up' : 'down'}`]) url.searchParams.append('sort', one);
  replace(url);
}

// The chosen row: the fragment of the address is TABLE/KEY.
export function chosen() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return '';
  }
}
export const choose = (row) => {
  if (row !== chosen()) replace(`${location.pathname}${location.search}#${encodeURIComponent(row).replaceAll('%2F', '/')}`);
};
