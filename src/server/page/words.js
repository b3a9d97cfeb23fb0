// What the words of a finding mean, in plain English: rungs, routes, streams, explanations, changes of a test.
//
// The idea: the server says `second-stream`; an investigator reads a sentence. Weakness: a word that is newer than this page
// stands as it came. Guarantee: every sentence says what was done, and none says how likely guilt is.

import { count, decimal, percent } from './dom.js';

export const RUNGS = ['second-stream', 'provenance', 'chance'];
export const rung = {
  'second-stream': [
    'Second stream',
    'Chance is excluded, no innocent explanation on record explains it, and a second, independent stream of evidence agrees.',
  ],
  provenance: ['Provenance', 'Chance is excluded, and no innocent explanation on record explains it.'],
  chance: ['Chance', 'Chance and innocent affinity are excluded. Innocent explanations are not: read them before anything else.'],
};
export const route = {
  'co-use': 'New families, shared beside those that proposed the group',
  persistent: 'One text, day after day, from accounts that behave like one sender’s',
};
export const stream = {
  'co-use': 'Shared new texts',
  composition: 'Account attributes',
  focus: 'Focus of requests',
  interchangeability: 'Interchangeability',
  'load-evenness': 'Evenness of load',
  pivot: 'Move to a new model',
  simultaneity: 'Simultaneity',
};
export const explanation = {
  'registered-text': 'A registered text',
  gateway: 'A gateway',
  'one-organisation': 'One organisation',
  agency: 'An agency or reseller',
  'class-or-event': 'A class or an event',
  monitoring: 'Monitoring',
  automation: 'Continuous integration',
  'unregistered-app': 'An app that nobody registered',
};
export const change = {
  'top-text-dropped': 'Without the text that says most on each day',
  'no-interests': 'With a null that does not know what accounts asked before',
  'coarser-neighbourhoods': 'With sixteen large neighbourhoods of text',
  'within-strata': 'With popularity by plan, payment and month of registration',
  'busiest-account-dropped': 'Without the account that shares most',
  'no-registration-day': 'Without the day of registration',
  'any-plan': 'Against accounts of any plan',
  'bins-of-1-hour': 'Moved within 1 hour in place of 4',
  'bins-of-8-hours': 'Moved within 8 hours in place of 4',
};
export const disposition = { 'benign-coordinated': 'Benign, coordinated', resale: 'Resale of access', extraction: 'Extraction', unknown: 'Unknown' };
export const level = { exact: 'exact', 'near-duplicate': 'near-duplicate', fragment: 'fragment', system: 'system prompt' };
export const levels = {
  exact: 'Prompts with the same digest after folding.',
  'near-duplicate': 'Prompts of which most of the shorter one stands in the other.',
  fragment: 'A run of text that accounts with otherwise different prompts share. It proves that this text is shared, no more.',
  system: 'Requests with the same system prompt: most often the customers of one application.',
};
// Which text of a request holds a fragment.
export const FIELD = {
  prompt: ['distinct prompt', 'distinct prompts'],
  turn: ['distinct earlier turn', 'distinct earlier turns'],
  system: ['distinct system prompt', 'distinct system prompts'],
};
export const kinds = { app: 'App', sdk: 'SDK', gateway: 'Gateway', course: 'Course', benchmark: 'Benchmark', published: 'Published text' };
export const say = (table, word) => table[word] ?? String(word ?? '–');

export const NO_GUILT =
  'A ring is a finding about coordination as modelled. It is no probability of guilt: a class, an app without a registration or a shared exercise can act together innocently.';

// Null, number of tests, error rate and placebo, as sentences.
export function behind(meta) {
  const out = [];
  out.push([
    'Null hypothesis',
    `Accounts choose families independently, given their activity, the families’ popularity and their own past interests; innocent affinity multiplies an account’s odds by at most φ0 = ${decimal(meta.phi0, 0)}.`,
  ]);
  out.push([
    'Number of tests',
    `${count(meta.proposed)} groups were proposed on ${count(meta.days?.length ?? 0)} days, each frozen before it was tested and tested only by what did not propose it; ${count(meta.tested)} are under test.`,
  ]);
  out.push(['Error rate', `Of the groups confirmed of one day’s proposals at most ${percent(meta.q)} are expected to be false (e-BH).`]);
  const p = meta.placebo;
  if (p)
    out.push([
      'Placebo',
      `${count(p.runs)} walks in which who chose what was dealt anew confirmed ${count(p.rejected)} of ${count(p.tested)} groups of the last four weeks (at most ${percent(p.upper, 2)} at 95%).`,
    ]);
  if (p?.late)
    out.push([
      'Placebo that keeps habits',
      `A walk in which each account is up to ${count(p.late.days)} days late confirmed ${count(p.late.rejected)} of ${count(p.late.tested)} groups (at most ${percent(p.late.upper, 2)} at 95%).`,
    ]);
  const c = meta.planted;
  if (c)
    out.push([
      'Planted campaign',
      `Of ${count(c.accounts)} accounts planted beside, each sending ${decimal(c.each, 0)} of ${count(c.texts)} new texts a day, ${count(c.found)} are listed.`,
    ]);
  return out;
}
