import { existsSync } from 'node:fs';
import { chromium, type Browser, type Page } from 'playwright-core';

const EXECUTABLE = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((file) => existsSync(file));
/** Quiet: nothing of the browser's own on the network, and it runs as root in a container. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** `describe` for suites in headless Chromium; without one they are skipped loudly, and in CI fail. */
export function describeInBrowser(name: string, body: (open: () => Promise<Visit>) => void): void {
  if (EXECUTABLE !== undefined || process.env['CI'] === 'true') {
    describe(name, () => inBrowser(body));
    return;
  }
  process.stderr.write(`SKIPPED: ${name}: no Chromium is installed\n`);
  describe.skip(name, () => inBrowser(body));
}

function inBrowser(body: (open: () => Promise<Visit>) => void): void {
  let browser: Browser | undefined;
  beforeAll(async () => {
    if (EXECUTABLE === undefined) throw new Error('no Chromium is installed');
    browser = await chromium.launch({ executablePath: EXECUTABLE, args: FLAGS });
  });
  afterAll(() => browser?.close());
  body(async () => new Visit(await browser!.newPage({ viewport: { width: 1280, height: 1600 } })));
}

/** A page, and what it complained about and asked for. */
export class Visit {
  /** Errors on the console (violations of the page's policy are there, too) and uncaught ones. */
  readonly errors: string[] = [];
  /** Origins of all requests. */
  readonly origins = new Set<string>();

  constructor(readonly page: Page) {
    page.on('console', (message) => {
      if (message.type() === 'error') this.errors.push(message.text());
    });
    page.on('pageerror', (error) => this.errors.push(error.message));
    page.on('request', (request) => {
      const { origin, protocol } = new URL(request.url());
      if (protocol.startsWith('http')) this.origins.add(origin);
    });
  }
}
