// Watermark.
import { h } from './dom.js';
import { head } from './parts.js';
export const view = async () => ({ title: 'Watermark', nodes: [head('Watermark', 'Tests', null), h('p', null, '')] });
