/**
 * Writes the pictures of the README from real runs on the stack that is up:
 *
 *   node --import tsx infra/write-picture.ts report [--model index-gspc] [--file report.html]
 *   node --import tsx infra/write-picture.ts run
 *
 * `report`: docs/images/report.png, the head of a model's report (of its champion, or of a file that
 * `ratchet report` wrote); needs Chromium. `run`: docs/images/run.svg, what `ratchet run
 * examples/demo.yaml --watch` and `ratchet predict` print; needs a state folder that has not run the
 * demo yet (RATCHET_STATE), else nothing is trained. Without a word: both.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { projectRoot } from './project.ts';
import { terminalSvg } from './terminal-svg.ts';

const IMAGES = join(projectRoot, 'docs/images');
const SPEC = 'examples/demo.yaml';
const DEMO_MODEL = 'demo-gspc';

const WIDTH_PX = 1200;
/** The page's own width and its margins. */
const PAGE_PX = 1028;
const PICTURE_BYTES = 200_000;
/** What is left out, so that verdict, baselines and their chart are legible on one picture. */
const CROP = `
  nav, .note, #data, #split, #baselines ~ section, #baselines figure ~ * { display: none }
  main { padding: 24px }
  #baselines { margin-bottom: 0 }
`;

/** One `ratchet` command; what it prints is shown as it comes and returned. */
function ratchet(...args: string[]): Promise<string> {
  const child = spawn(process.execPath, [join(projectRoot, 'bin/ratchet.mjs'), ...args], {
    cwd: projectRoot,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) return resolve(Buffer.concat(chunks).toString('utf8'));
      reject(new Error(`\`ratchet ${args.join(' ')}\` ended with ${code ?? 'a signal'}`));
    });
  });
}

async function writeReport(html: string, executablePath: string): Promise<string> {
  if (!existsSync(executablePath)) {
    throw new Error(`there is no ${executablePath}: apt-get install chromium, or --chromium FILE`);
  }
  const browser = await chromium.launch({ executablePath });
  try {
    const page = await browser.newPage({
      // The picture is as tall as the page: this is only the least height.
      viewport: { width: PAGE_PX, height: 100 },
      deviceScaleFactor: WIDTH_PX / PAGE_PX,
      javaScriptEnabled: false,
    });
    await page.setContent(html.replace('</style>', `${CROP}</style>`));
    const png = await page.screenshot({ fullPage: true });
    if (png.byteLength > PICTURE_BYTES) {
      throw new Error(`the picture has ${png.byteLength} bytes; at most ${PICTURE_BYTES}`);
    }
    const path = join(IMAGES, 'report.png');
    await writeFile(path, png);
    return path;
  } finally {
    await browser.close();
  }
}

async function writeRun(): Promise<string> {
  const run = ['run', SPEC, '--watch'];
  const predict = ['predict', DEMO_MODEL];
  const trained = await ratchet(...run);
  if (!/epoch \d/.test(trained)) {
    throw new Error('nothing was trained: take a state folder that has not run the demo yet');
  }
  const sessions = [
    { command: `npx ratchet ${run.join(' ')}`, output: trained },
    { command: `npx ratchet ${predict.join(' ')}`, output: await ratchet(...predict) },
  ];
  const path = join(IMAGES, 'run.svg');
  await writeFile(path, terminalSvg('An experiment in the terminal', sessions));
  return path;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: DEMO_MODEL },
    file: { type: 'string' },
    chromium: { type: 'string', default: '/usr/bin/chromium' },
  },
});
const wanted = positionals.length === 0 ? ['run', 'report'] : positionals;
const unknown = wanted.find((name) => !['run', 'report'].includes(name));
if (unknown !== undefined) throw new Error(`no picture "${unknown}": run, report`);
await mkdir(IMAGES, { recursive: true });
if (wanted.includes('run')) console.log(await writeRun());
if (wanted.includes('report')) {
  const html =
    values.file === undefined
      ? await ratchet('report', values.model, '-o', '-')
      : await readFile(values.file, 'utf8');
  console.log(await writeReport(html, values.chromium));
}
