import { connect } from 'node:net';
import { send, type Answer } from '../support/http.js';
import { newScope, newVFolderId } from '../support/ids.js';
import { AUTH_HEADER } from '../support/manager-client.js';
import { expectProblem, INVALID_PARAMETERS } from '../support/problem.js';
import { Proxy } from '../support/proxy.js';

let proxy: Proxy;

/** What the harness configures. */
const SECRET = 'the-secret-of-the-test-manager';

beforeAll(async () => {
  proxy = await Proxy.start();
});

afterAll(() => proxy.stop());

const at = (path: string): string => `${proxy.manager.origin}${path}`;

describe('authentication', () => {
  const FORBIDDEN = {
    type: 'storage/forbidden',
    error_code: 'storage-proxy_auth_forbidden',
  };
  const refused = [
    ['no header', {}, 'missing'],
    ['an empty header', { [AUTH_HEADER]: '' }, 'missing'],
    ['another secret', { [AUTH_HEADER]: 'guess' }, 'invalid'],
    ['the start of the secret', { [AUTH_HEADER]: SECRET.slice(0, -1) }, 'invalid'],
    ['more than the secret', { [AUTH_HEADER]: `${SECRET}x` }, 'invalid'],
    ['another letter case', { [AUTH_HEADER]: SECRET.toUpperCase() }, 'invalid'],
    ['a bearer token', { authorization: `Bearer ${SECRET}` }, 'missing'],
  ] as const;

  it.each(refused)('refuses %s with 403', async (_, headers, word) => {
    expectProblem(await send('GET', at('/volumes'), headers), 403, {
      ...FORBIDDEN,
      title: `Forbidden (${word} auth token)`,
    });
  });

  it.each([
    ['GET', '/nowhere'],
    ['PUT', '/volumes'],
    ['GET', '/jobs/x'],
    ['DELETE', '/'],
    ['POST', '/folder/create'],
    ['OPTIONS', '/volumes'],
  ])('comes before routing: %s %s', async (method, path) => {
    expectProblem(await send(method, at(path)), 403, FORBIDDEN);
  });

  it('comes before the body is looked at', async () => {
    const body = Buffer.from('not json');
    expectProblem(await send('POST', at('/folder/create'), {}, body), 403, FORBIDDEN);
  });

  it('is not asked for where it says whether the process serves', async () => {
    for (const path of ['/', '/status']) expect((await send('GET', at(path))).status).toBe(200);
  });

  it('has no CORS for anybody', async () => {
    const answer = await send('GET', at('/'), { origin: 'https://console.example' });
    const cors = Object.keys(answer.headers).filter((name) => name.startsWith('access-control'));
    expect(cors).toEqual([]);
  });
});

describe('GET / and /status', () => {
  it.each(['/', '/status'])('say who answers: %s', async (path) => {
    const answer = await send('GET', at(path));
    expect({ status: answer.status, json: answer.json }).toEqual({
      status: 200,
      json: {
        status: 'ok',
        type: 'manager-facing',
        'storage-proxy': expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
      },
    });
  });

  it.each(['/', '/status'])('take no body: %s', async (path) => {
    expectProblem(await send('GET', at(path), {}, Buffer.from('{}')), 400, {
      type: 'storage/malformed-request',
    });
  });
});

describe('paths and methods', () => {
  it.each([
    ['GET', '/nowhere'],
    ['POST', '/folder'],
    ['GET', '/volumes/'],
    ['GET', '//volumes'],
    ['GET', '/folder/../volumes'],
    ['GET', '/v1/registries'],
  ])('answers 404 in JSON: %s %s', async (method, path) => {
    // With node's client the path goes out as it is.
    const answer = await raw(`${method} ${path} HTTP/1.1`);
    expect(answer).toMatch(/^HTTP\/1\.1 404 /);
    expect(answer).toMatch(/content-type: application\/problem\+json; charset=utf-8/i);
  });

  it('names what it answers to a path that does not exist', async () => {
    expectProblem(await proxy.manager.call('GET', '/nowhere'), 404, {
      error_code: 'api_generic_not-found',
    });
  });

  it.each([
    ['POST', '/volumes', 'GET'],
    ['GET', '/folder/create', 'POST'],
    ['PUT', '/quota-scope', 'GET,PATCH,POST'],
    ['POST', '/quota-scope/quota', 'DELETE'],
    ['DELETE', '/volume/quota', 'GET,PATCH'],
    ['PUT', '/folder/metadata', 'GET,POST'],
    ['POST', '/', 'GET'],
    ['HEAD', '/volumes', 'GET'],
    ['OPTIONS', '/volumes', 'GET'],
    ['POST', '/jobs/0f0e0d0c-0b0a-4090-8070-605040302010', 'DELETE,GET'],
    ['PROPFIND', '/volumes', 'GET'],
  ])('answers 405 with Allow: %s %s', async (method, path, allow) => {
    const answer = await proxy.manager.call(method, path);
    expect({ status: answer.status, allow: answer.headers.allow }).toEqual({ status: 405, allow });
    if (method === 'HEAD') return;
    expectProblem(answer, 405, { error_code: 'api_generic_not-implemented' });
  });
});

describe('parameters', () => {
  const body = (): Record<string, unknown> => ({ volume: 'local', qsid: newScope() });

  it.each([
    ['as managers label it', { 'content-type': 'application/json' }],
    ['without a Content-Type', {}],
    ['as text', { 'content-type': 'text/plain' }],
    ['as octets', { 'content-type': 'application/octet-stream' }],
    ['as a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['with an odd Content-Type', { 'content-type': 'json' }],
    ['with a charset', { 'content-type': 'application/json; charset=euc-kr' }],
  ])('are read from a JSON body %s, on every method', async (_, headers) => {
    const members = body();
    const given = Buffer.from(JSON.stringify(members));
    const answers: Answer[] = [];
    for (const [method, path] of [
      ['POST', '/quota-scope'],
      ['GET', '/quota-scope'],
      ['DELETE', '/quota-scope/quota'],
    ] as const) {
      answers.push(await proxy.manager.send(method, path, given, headers));
    }
    expect(answers.map(({ status }) => status)).toEqual([204, 200, 204]);
  });

  it('are read from a chunked body', async () => {
    const json = JSON.stringify({ volume: 'local' });
    const answer = await raw(
      'GET /volume/hwinfo HTTP/1.1',
      ['transfer-encoding: chunked'],
      `${json.length.toString(16)}\r\n${json}\r\n0\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('are read from the query as well', async () => {
    const members = body();
    const query = new URLSearchParams(members as Record<string, string>).toString();
    await proxy.manager.expecting(204, 'POST', `/quota-scope?${query}`);
    const answer = await proxy.manager.call('GET', `/quota-scope?${query}`);
    expect(answer.json).toEqual({ used_bytes: null, limit_bytes: null });
  });

  it('may be split between body and query, and agree', async () => {
    const { volume, qsid } = body();
    await proxy.manager.expecting(204, 'POST', '/quota-scope?volume=local', { volume, qsid });
    const query = `/quota-scope?qsid=${String(qsid)}`;
    expect((await proxy.manager.call('GET', query, { volume })).status).toBe(200);
  });

  it('in conflict between body and query are refused', async () => {
    const answer = await proxy.manager.call('GET', '/volume/hwinfo?volume=other', {
      volume: 'local',
    });
    expectProblem(answer, 400, {
      ...INVALID_PARAMETERS,
      data: { volume: expect.stringContaining('both') },
    });
  });

  it('in a query list several paths, and options as JSON', async () => {
    const { ref } = await proxy.createFolder('scoped');
    const query = new URLSearchParams([
      ...Object.entries(ref),
      ['relpaths', 'a'],
      ['relpaths', 'b'],
    ]);
    const deleted = await proxy.manager.call('POST', `/folder/file/delete?${query.toString()}`);
    expect(deleted.json).toEqual({ status: 'ok' });
    const options = new URLSearchParams({ ...(body() as object), options: '{"limit_bytes": 5}' });
    await proxy.manager.expecting(204, 'PATCH', `/quota-scope?${options.toString()}`);
  });

  it('are told apart: unknown, missing, of the wrong type', async () => {
    const answer = await proxy.manager.call('GET', '/quota-scope', { qsid: 1, color: 'red' });
    expectProblem(answer, 400, {
      ...INVALID_PARAMETERS,
      error_code: 'vfolder_request_invalid-parameters',
      data: {
        volume: 'is required',
        qsid: 'value is not a string',
        color: 'color is not allowed key',
      },
    });
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
  });

  it.each(['__proto__', 'constructor', 'toString'])('named %s are unknown', async (name) => {
    const json = `{"volume":"local","${name}":{"volume":"x"}}`;
    const answer = await proxy.manager.send('GET', '/volume/hwinfo', Buffer.from(json));
    expectProblem(answer, 400, INVALID_PARAMETERS);
  });

  it.each(['[]', '"text"', '7', 'null', 'true'])('are no object: %s', async (json) => {
    const answer = await proxy.manager.send('GET', '/volume/hwinfo', Buffer.from(json));
    expectProblem(answer, 400, { ...INVALID_PARAMETERS, data: 'value is not a dict' });
  });

  it.each(['{', 'not json', '{"volume": }', '\0', "{'volume': 'local'}", '{"volume":"local"}}'])(
    'are not JSON: %j',
    async (text) => {
      const answer = await proxy.manager.send('GET', '/volume/hwinfo', Buffer.from(text));
      expectProblem(answer, 400, {
        type: 'storage/malformed-request',
        error_code: 'vfolder_parsing_bad-request',
      });
    },
  );

  it('absent altogether are all missing', async () => {
    expectProblem(await proxy.manager.call('POST', '/folder/delete'), 400, {
      ...INVALID_PARAMETERS,
      data: { volume: 'is required', vfid: 'is required' },
    });
  });

  it.each([
    [true, 200],
    ['yes', 200],
    [' ON ', 200],
    [1, 200],
    ['1.0', 200],
    [false, 422],
    ['off', 422],
    ['0', 422],
    [null, 422],
    ['none', 422],
    ['maybe', 400],
    [2, 400],
    ['', 400],
  ])('hold booleans as the wire has them: exist_ok %j', async (exist_ok, status) => {
    const { ref } = await proxy.createFolder('scoped');
    const request = { ...ref, relpath: 'd' };
    await proxy.manager.expecting(200, 'POST', '/folder/file/mkdir', request);
    const answer = await proxy.manager.call('POST', '/folder/file/mkdir', { ...request, exist_ok });
    expect(answer.status).toBe(status);
    if (status === 400) {
      expectProblem(answer, 400, { data: { exist_ok: "value can't be converted to Bool" } });
    }
  });
});

describe('endpoints of the typed kind', () => {
  const TYPED = { type: 'generic-bad-request', error_code: 'api_parsing_invalid-parameters' };

  it.each(['/folder/file/archive-download-token', '/folder/file/delete-async'])(
    'answer errors in their own words: %s',
    async (path) => {
      expectProblem(await proxy.manager.send('POST', path, Buffer.from('{')), 400, {
        type: 'generic-bad-request',
        title: 'Malformed request body.',
        error_code: 'api_parsing_bad-request',
      });
      expectProblem(await proxy.manager.call('POST', path, {}), 400, {
        ...TYPED,
        title: 'Invalid or Missing API Parameters.',
        data: { volume: 'is required' },
      });
    },
  );
});

describe('limits', () => {
  const LIMIT = 1_048_576;

  function ofLength(length: number): Buffer {
    const start = '{"volume":"local","color":"';
    return Buffer.from(`${start}${'x'.repeat(length - start.length - 2)}"}`);
  }

  it('refuses a body over 1 MiB with 413, and keeps the connection usable', async () => {
    const answer = await proxy.manager.send('GET', '/volume/hwinfo', ofLength(LIMIT + 1));
    expectProblem(answer, 413, {
      msg: expect.stringContaining(`Maximum request body size ${LIMIT} exceeded.`),
    });
    expect((await proxy.manager.call('GET', '/volumes')).status).toBe(200);
  });

  it('reads a body of 1 MiB', async () => {
    const answer = await proxy.manager.send('GET', '/volume/hwinfo', ofLength(LIMIT));
    expectProblem(answer, 400, { data: { color: 'color is not allowed key' } });
  });

  it('refuses names that no filesystem takes', async () => {
    const { ref } = await proxy.createFolder('scoped');
    for (const relpath of ['x'.repeat(256), 'x/'.repeat(2050), 'a\0b', '\ud800']) {
      const answer = await proxy.manager.call('POST', '/folder/file/list', { ...ref, relpath });
      expectProblem(answer, 400, { ...INVALID_PARAMETERS, data: { relpath: expect.any(String) } });
    }
  });
});

describe('connections', () => {
  it('are kept for at least 75 s', async () => {
    const { headers } = await proxy.manager.call('GET', '/volumes');
    const [, seconds] = /timeout=(\d+)/.exec(String(headers['keep-alive'])) ?? [];
    expect(Number(seconds)).toBeGreaterThanOrEqual(75);
  });

  it('are not broken by errors', async () => {
    const paths = ['/volumes', '/nowhere', '/folder/create', '/volumes'];
    const answers = await raw(
      paths
        .map((path) => `GET ${path} HTTP/1.1`)
        .join(`\r\nhost: x\r\n${AUTH_HEADER}: ${SECRET}\r\n\r\n`),
    );
    expect([...answers.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual([
      '200',
      '404',
      '405',
      '200',
    ]);
  });

  it('that do not speak HTTP get an answer in JSON', async () => {
    expect(await raw('no http at all')).toMatch(/^HTTP\/1\.1 400 [^]*application\/problem\+json/);
  });
});

it('no answer is a redirect, compressed, or says what it runs on', async () => {
  const answer = await proxy.manager.send('GET', '/volumes', undefined, {
    'accept-encoding': 'gzip, deflate, br',
  });
  expect(answer.headers).not.toHaveProperty('content-encoding');
  expect(answer.headers).not.toHaveProperty('x-powered-by');
  expect(answer.headers).not.toHaveProperty('server');
});

it('an id in either generation comes back as it is printed', async () => {
  const vfid = newVFolderId('scoped');
  const answer = await proxy.manager.call('GET', '/folder/usage', {
    volume: 'local',
    vfid: vfid.toUpperCase(),
  });
  expectProblem(answer, 404, { msg: expect.stringContaining(vfid) });
});

/** A request line, headers and a body, as they are, on a connection that is closed after the answer. */
function raw(line: string, headers: readonly string[] = [], body = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const { port, hostname } = new URL(proxy.manager.origin);
    const all = ['host: x', `${AUTH_HEADER}: ${SECRET}`, 'connection: close', ...headers];
    const socket = connect(Number(port), hostname, () => {
      socket.write(`${line}\r\n${all.join('\r\n')}\r\n\r\n${body}`);
    });
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}
