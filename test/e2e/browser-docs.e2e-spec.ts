import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeInBrowser, type Visit } from '../support/browser.js';
import { TestServer } from '../support/server.js';

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'];

/** How many operations the committed document of a plane has. */
function operationCount(plane: string): number {
  const { paths } = JSON.parse(readFileSync(join('openapi', `${plane}.json`), 'utf8')) as {
    paths: Record<string, object>;
  };
  return Object.values(paths).flatMap((item) => METHODS.filter((method) => method in item)).length;
}

describeInBrowser('Swagger UI', (open) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await TestServer.start({
      config: { 'storage-proxy': { 'allow-auto-quota-scope-creation': true } },
    });
  });
  afterAll(() => server.stop());

  async function openDocs(url: string): Promise<Visit> {
    const visit = await open();
    await visit.page.goto(`${url}/docs`);
    await visit.page.locator('.opblock').first().waitFor();
    return visit;
  }

  describe.each(['manager', 'client'] as const)('of the %s plane', (plane) => {
    it('shows every operation, without errors, and asks nobody else', async () => {
      const url = plane === 'manager' ? server.managerUrl : server.clientUrl;
      const { page, errors, origins } = await openDocs(url);
      expect(await page.title()).toBe(`Storage Proxy: ${plane} plane`);
      expect(await page.locator('.opblock').count()).toBe(operationCount(plane));
      await screenshot(page, plane);
      expect(errors).toEqual([]);
      expect([...origins]).toEqual([url]);
      await page.close();
    });
  });

  it('sends what it is told, with the secret it was given', async () => {
    const { page, errors } = await openDocs(server.managerUrl);
    await authorize(page, server.secret);

    const list = await execute(page, 'get', '/volumes');
    expect(list.status).toBe('200');
    expect(list.body).toContain('"name": "local"');

    const create = await execute(page, 'post', '/folder/create');
    expect(create.status).toBe('204');
    const folder = '0f0e0d0c0b0a40908070605040302010/9f/8e/7d6c5b4a43929190807060504030';
    expect(existsSync(join(server.volumePath(), folder))).toBe(true);

    const mount = await execute(page, 'get', '/folder/mount');
    expect(mount.status).toBe('200');
    expect(mount.body).toContain(folder);
    await screenshot(page, 'manager-tried');
    expect(errors).toEqual([]);
    await page.close();
  });

  it('shows why a call without the secret was refused', async () => {
    const { page } = await openDocs(server.managerUrl);
    const list = await execute(page, 'get', '/volumes');
    expect(list.status).toBe('403');
    expect(list.body).toContain('"error_code"');
    await page.close();
  });
});

type Page = Visit['page'];

async function authorize(page: Page, secret: string): Promise<void> {
  await page.locator('.auth-wrapper > .authorize').click();
  const dialog = page.locator('.dialog-ux');
  await dialog.locator('input').fill(secret);
  await dialog.locator('button.authorize').click();
  await dialog.locator('button.btn-done').click();
}

/** Opens an operation, presses Execute with everything as it is, and reads the answer shown. */
async function execute(
  page: Page,
  method: string,
  path: string,
): Promise<{ status: string; body: string }> {
  const block = page.locator(`.opblock-${method}:has([data-path="${path}"])`);
  await block.locator('.opblock-summary-control').click();
  await block.locator('button.execute').click();
  const answer = block.locator('.live-responses-table');
  const status = await answer.locator('tbody td.response-col_status').innerText();
  const body = answer.locator('td.response-col_description .highlight-code').first();
  return { status: status.trim(), body: (await body.count()) > 0 ? await body.innerText() : '' };
}

/** For looking at, into the directory that SCREENSHOTS names. */
async function screenshot(page: Page, name: string): Promise<void> {
  const directory = process.env['SCREENSHOTS'];
  if (directory) await page.screenshot({ path: join(directory, `${name}.png`) });
}
