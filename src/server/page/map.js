// The map of families.
import { h } from './dom.js';
import { head } from './parts.js';
export const view = async () => ({ title: 'Map', nodes: [head('Map', 'Families', null), h('p', null, '')] });
