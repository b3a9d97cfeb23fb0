// Verifies an evidence bundle in this browser: signature, statement, manifest, every file, and the root of their tree.
//
// The idea: whoever holds a bundle and a public key should not have to trust the server that shows it, so the same steps as
// those of `verify_bundle.py` are done here, on files that stay on this machine. Weakness: the signer's clock and the
// authority of a timestamp are not checked, and no number is computed again; the command line does both. Guarantee: the
// first step that fails is named, and nothing counts as verified before all of them have passed.

const TYPE = 'application/vnd.in-toto+json';
const APART = new Set(['envelope.dsse.json', 'manifest.json', 'timestamp.tsr', 'timestamp.dsse.json']);

// BLAKE3 of bytes, 32 bytes, by the plain rule of its specification.
const IV = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
const MOVED = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
const CHUNK = 1024;
const [START, END, PARENT, ROOT] = [1, 2, 4, 8];

function compress(chain, block, counter, length, flags) {
  const v = new Uint32Array(16);
  v.set(chain);
  v.set(IV.slice(0, 4), 8);
  v.set([counter >>> 0, Math.floor(counter / 2 ** 32), length, flags], 12);
  const turn = (x, n) => (x >>> n) | (x << (32 - n));
  const mix = (a, b, c, d, x, y) => {
    v[a] = v[a] + v[b] + x;
    v[d] = turn(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = turn(v[b] ^ v[c], 12);
    v[a] = v[a] + v[b] + y;
    v[d] = turn(v[d] ^ v[a], 8);
    v[c] += v[d];
    v[b] = turn(v[b] ^ v[c], 7);
  };
  let m = block;
  for (let round = 0; round < 7; round += 1) {
    mix(0, 4, 8, 12, m[0], m[1]);
    mix(1, 5, 9, 13, m[2], m[3]);
    mix(2, 6, 10, 14, m[4], m[5]);
    mix(3, 7, 11, 15, m[6], m[7]);
    mix(0, 5, 10, 15, m[8], m[9]);
    mix(1, 6, 11, 12, m[10], m[11]);
    mix(2, 7, 8, 13, m[12], m[13]);
    mix(3, 4, 9, 14, m[14], m[15]);
    const before = m;
    m = MOVED.map((at) => before[at]);
  }
  return v.slice(0, 8).map((word, i) => word ^ v[i + 8]);
}

// The last step of a part of the input, which is done with another flag where the part is the whole.
function last(bytes, from, to, counter) {
  if (to - from > CHUNK) {
    let left = CHUNK;
    while (2 * left < to - from) left *= 2;
    const block = [...close(last(bytes, from, from + left, counter)), ...close(last(bytes, from + left, to, counter + left / CHUNK))];
    return { chain: IV, block, counter: 0, length: 64, flags: PARENT };
  }
  let chain = IV,
    flags = START;
  for (let at = from; ; at += 64) {
    const length = Math.max(0, Math.min(64, to - at)),
      padded = new Uint8Array(64);
    padded.set(bytes.subarray(at, at + length));
    const view = new DataView(padded.buffer),
      block = Array.from({ length: 16 }, (_, i) => view.getUint32(4 * i, true));
    if (at + 64 >= to) return { chain, block, counter, length, flags: flags | END };
    chain = compress(chain, block, counter, 64, flags);
    flags = 0;
  }
}
const close = ({ chain, block, counter, length, flags }, more = 0) => compress(chain, block, counter, length, flags | more);

export function blake3(bytes) {
  const out = new DataView(new ArrayBuffer(32));
  close(last(bytes, 0, bytes.length, 0), ROOT).forEach((word, i) => out.setUint32(4 * i, word, true));
  return new Uint8Array(out.buffer);
}

const hex = (bytes) => [...bytes].map((b) => b.toString(16).padStart(2, '0')).join('');
const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const join = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));
const utf8 = (text) => new TextEncoder().encode(text);

function need(holds, step, why) {
  if (!holds) throw Object.assign(new Error(why), { step });
}
function unbase64(text, step) {
  try {
    return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  } catch {
    return need(false, step, 'expected base64');
  }
}
const json = (bytes, step) => {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return need(false, step, 'expected JSON in UTF-8');
  }
};

async function subject(bytes) {
  return { blake3: hex(blake3(bytes)), sha256: hex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))) };
}
const same = (a, b) => a?.blake3 === b.blake3 && a?.sha256 === b.sha256;

// The payload of an envelope, when this key signed it.
async function opened(files, name, key, step) {
  const bytes = files.get(name);
  need(bytes, 'layout', `expected a file ${name}`);
  const envelope = json(bytes, 'envelope');
  const text = `${JSON.stringify(envelope, null, 2)}\n`;
  need(text === new TextDecoder().decode(bytes), 'envelope', 'expected the envelope in the form in which it was written');
  need(typeof envelope.payload === 'string' && envelope.signatures?.length === 1, 'envelope', 'expected a payload and one signature');
  const payload = unbase64(envelope.payload, 'envelope'),
    signature = envelope.signatures[0];
  need(envelope.payloadType === TYPE && signature.keyid === key.name, 'signature', 'another key signed it: its name is not that of this public key');
  const signed = join(utf8(`DSSEv1 ${TYPE.length} ${TYPE} ${payload.length} `), payload);
  need(await crypto.subtle.verify('Ed25519', key.key, unbase64(signature.sig, 'envelope'), signed), step, 'another key signed it, or it was changed');
  return json(payload, 'envelope');
}

function treeOf(entries) {
  let level = entries.map((entry) => blake3(join([0], utf8(entry.name), [0], unhex(entry.blake3))));
  while (level.length > 1) {
    const next = [];
    for (let i = 0; i < level.length; i += 2) next.push(i + 1 < level.length ? blake3(join([1], level[i], level[i + 1])) : level[i]);
    level = next;
  }
  return level.length ? hex(level[0]) : '';
}

// Verifies `files`, a map from names below the bundle to bytes, under a public key in PEM. Throws with `step` at the first
// step that fails.
export async function verify(files, pem) {
  const der = /-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----/.exec(pem)?.[1];
  need(der, 'key', 'expected a public key in PEM');
  const spki = unbase64(der.replace(/\s/g, ''), 'key');
  const imported = await crypto.subtle?.importKey('spki', spki, { name: 'Ed25519' }, false, ['verify']).catch(() => null);
  need(imported, 'key', 'expected an Ed25519 key, and a browser that knows them');
  const key = { key: imported, name: hex(blake3(spki)) };
  const statement = await opened(files, 'envelope.dsse.json', key, 'signature');
  need(
    statement._type === 'https://in-toto.io/Statement/v1' && statement.predicateType === 'urn:stillhunt:evidence:1',
    'statement',
    'expected an in-toto statement about an evidence bundle',
  );
  const manifestBytes = files.get('manifest.json');
  need(manifestBytes, 'layout', 'expected a file manifest.json');
  const about = statement.subject ?? [];
  need(
    about.length === 1 && about[0].name === 'manifest.json' && same(about[0].digest, await subject(manifestBytes)),
    'manifest',
    'the statement is about another manifest',
  );
  const manifest = json(manifestBytes, 'manifest'),
    entries = manifest.files ?? [];
  for (const entry of entries) {
    const bytes = files.get(entry.name);
    need(bytes, `file: ${entry.name}`, 'expected this file, found none');
    need(
      bytes.length === entry.bytes && hex(blake3(bytes)) === entry.blake3,
      `file: ${entry.name}`,
      'another length or another digest than the manifest says',
    );
  }
  const named = new Set(entries.map((entry) => entry.name));
  for (const name of files.keys()) need(APART.has(name) || named.has(name), `file: ${name}`, 'the manifest does not name it');
  const root = treeOf(entries);
  need(root === manifest.tree && root === statement.predicate?.tree, 'tree', 'another root than manifest and statement say');
  const token = files.get('timestamp.tsr');
  if (token) {
    const vouched = await opened(files, 'timestamp.dsse.json', key, 'timestamp');
    const one = vouched.subject?.[0];
    need(one?.name === 'timestamp.tsr' && same(one.digest, await subject(token)), 'timestamp', 'the signer vouches for another token');
  }
  return { files: entries, tree: root, made: statement.predicate.made, key: key.name, timestamp: Boolean(token) };
}
