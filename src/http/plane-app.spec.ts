import type { AddressInfo } from 'node:net';
import { Controller, Delete, Get, HttpCode, Module, Param, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { StorageError } from '../errors/storage-error.js';
import { configureLogging } from '../observability/logger.js';
import { LenientBool, LenientInt, ParsedList, ParsedText, Text } from './dto-decorators.js';
import { Operation } from './operation.decorator.js';
import { createPlaneApp, type PlaneApp } from './plane-app.js';
import { Parameters } from './query-or-body.js';
import { send as request, sendRaw } from './testing/http-client.js';

const doc = { summary: 's', description: 'd' };

function parsePath(text: string): string {
  if (text === '/') throw new Error('expected relative path but the value is absolute');
  if (text === '..') throw new StorageError('OUTSIDE_VFOLDER', 'out', { paths: [text] });
  return text;
}

class ListDto {
  @Text({ description: 'Volume', example: 'local' })
  volume!: string;

  @LenientBool({ description: 'Recurse', optional: true, default: false })
  recursive = false;

  @LenientInt({ description: 'Limit', optional: true, minimum: 0 })
  limit?: number;

  @ParsedText(parsePath, { description: 'Path', optional: true })
  path?: string;

  @ParsedList((text) => text, { description: 'Paths', optional: true })
  paths: string[] = [];
}

@Controller()
class TestController {
  @Get('folder/usage')
  @Operation('folder.usage', doc)
  usage(@Parameters() parameters: ListDto): object {
    return parameters;
  }

  @Post('folder/create')
  @HttpCode(200)
  @Operation('folder.create', doc)
  create(@Parameters() parameters: ListDto): object {
    return parameters;
  }

  @Delete('jobs/:id')
  @Operation('jobs.cancel', doc)
  cancel(@Param('id') id: string, @Parameters() parameters: ListDto): object {
    return Object.assign(parameters, { id });
  }

  @Get('volumes')
  @Operation('volumes.list', { ...doc, body: 'none', noQuery: true })
  list(): object {
    return { volumes: [] };
  }

  @Post('upload')
  @Operation('upload.create', { ...doc, body: 'stream' })
  async upload(@Req() request: FastifyRequest): Promise<object> {
    let bytes = 0;
    for await (const chunk of request.body as AsyncIterable<Buffer>) bytes += chunk.length;
    return { bytes };
  }

  @Get('fetch')
  @Operation('file.fetch', doc)
  fetch(): never {
    throw new StorageError('NOT_FOUND', 'No such file or directory', {
      subject: 'entry',
      errno: 2,
      paths: ['a'],
    });
  }

  @Get('boom')
  @Operation('folder.used-bytes', doc)
  boom(): never {
    throw new TypeError('/secret/host/path');
  }

  @Get('late')
  @Operation('download', doc)
  async late(@Res() reply: FastifyReply): Promise<void> {
    reply.hijack();
    reply.raw.writeHead(200, { 'content-length': 100 });
    reply.raw.write('part');
    await new Promise((resolve) => setTimeout(resolve, 20));
    throw new StorageError('UNAVAILABLE', 'gone', { subject: 'volume' });
  }
}

@Module({ controllers: [TestController] })
class TestModule {}

let plane: PlaneApp;
let port: number;

beforeAll(async () => {
  configureLogging({ level: 'fatal' });
  plane = await createPlaneApp(TestModule, { plane: 'manager', basePath: '/storage' });
  await plane.app.listen(0, '127.0.0.1');
  port = (plane.app.getHttpServer().address() as AddressInfo).port;
}, 120_000);

afterAll(() => plane.app.close());

const send = (
  method: string,
  path: string,
  body?: string | Buffer,
  headers?: Record<string, string>,
) => request(port, method, path, { body, headers });
const raw = (text: string) => sendRaw(port, text);

describe('parameters', () => {
  const usage = (body?: string, headers?: Record<string, string>) =>
    send('GET', '/folder/usage', body, headers);

  const types: [string, Record<string, string>][] = [
    ['no content type', {}],
    ['JSON', { 'content-type': 'application/json' }],
    ['a form type', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['nonsense', { 'content-type': ';;' }],
  ];

  it.each(types)('reads a JSON body on GET with %s', async (_name, headers) => {
    const answer = await usage('{"volume":"v"}', headers);
    expect([answer.status, answer.json]).toEqual([
      200,
      { volume: 'v', recursive: false, paths: [] },
    ]);
  });

  it.each(types)('needs no body, with %s', async (_name, headers) => {
    const answer = await send('GET', '/folder/usage?volume=v', undefined, headers);
    expect(answer.json).toMatchObject({ volume: 'v' });
  });

  it('reads a JSON body on DELETE', async () => {
    const answer = await send('DELETE', '/jobs/7', '{"volume":"v","limit":" 3 "}');
    expect(answer.json).toEqual({ id: '7', volume: 'v', limit: 3, recursive: false, paths: [] });
  });

  it('reads the query as well, and coerces', async () => {
    const answer = await send(
      'GET',
      '/folder/usage?volume=v&recursive=Yes&limit=4&paths=a&paths=b',
    );
    expect(answer.json).toEqual({ volume: 'v', recursive: true, limit: 4, paths: ['a', 'b'] });
  });

  it('takes one repeated parameter as a list of one', async () => {
    const answer = await send('GET', '/folder/usage?volume=v&paths=a');
    expect(answer.json['paths']).toEqual(['a']);
  });

  it('accepts the same value twice and refuses different ones', async () => {
    expect((await send('GET', '/folder/usage?volume=v', '{"volume":"v"}')).status).toBe(200);
    const answer = await send('GET', '/folder/usage?volume=w', '{"volume":"v"}');
    expect(answer.status).toBe(400);
    expect(answer.json['data']).toHaveProperty('volume');
  });

  it('names every wrong member in the words of the original', async () => {
    const answer = await usage('{"recursive":"maybe","limit":-1,"x":1,"paths":"p"}');
    expect(answer.status).toBe(400);
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(answer.json).toMatchObject({
      type: 'https://api.backend.ai/probs/storage/invalid-api-params',
      title: 'Invalid API parameters',
      error_code: 'vfolder_request_invalid-parameters',
      data: {
        volume: 'is required',
        recursive: "value can't be converted to Bool",
        limit: 'value should be greater than or equal to 0',
        paths: 'value is not a list',
        x: 'x is not allowed key',
      },
    });
  });

  it.each(['{"volume":""}', '{"volume":5}', '{"volume":null}'])('refuses %s', async (body) => {
    expect((await usage(body)).status).toBe(400);
  });

  it('tells a path that leaves the vfolder from a malformed one', async () => {
    expect((await usage('{"volume":"v","path":"/"}')).json['data']).toEqual({
      path: 'expected relative path but the value is absolute',
    });
    expect((await usage('{"volume":"v","path":".."}')).json['error_code']).toBe(
      'vfolder_access_invalid-parameters',
    );
    expect((await usage('{"path":".."}')).json['data']).toMatchObject({ volume: 'is required' });
  });

  it('calls a body that is not an object by its name', async () => {
    expect((await usage('[1]')).json['data']).toBe('value is not a dict');
    expect((await usage('null')).json['data']).toBe('value is not a dict');
  });

  it('answers 400 to malformed JSON and to an absent body', async () => {
    const malformed = await send('POST', '/folder/create', '{"volume":');
    expect([malformed.status, malformed.json['error_code']]).toEqual([
      400,
      'vfolder_parsing_bad-request',
    ]);
    const absent = await send('POST', '/folder/create');
    expect(absent.json['data']).toEqual({ volume: 'is required' });
    const blank = await send('POST', '/folder/create', '', { 'content-type': 'application/json' });
    expect(blank.json['data']).toEqual({ volume: 'is required' });
  });

  it('answers 400 to what nests too deeply', async () => {
    const nested = '['.repeat(10_000) + ']'.repeat(10_000);
    const body = await send('POST', '/folder/create', `{"volume":${nested}}`);
    expect([body.status, body.json['error_code']]).toEqual([400, 'vfolder_parsing_bad-request']);
    expect((await send('POST', `/folder/create?volume=v&paths=${nested}`)).status).toBe(400);
  });

  it('cannot be made to pollute prototypes', async () => {
    const answer = await usage('{"volume":"v","__proto__":{"recursive":true,"polluted":1}}');
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('"__proto__":"__proto__ is not allowed key"');
    expect({}).not.toHaveProperty('polluted');
  });

  it('answers 413 in JSON to more than 1 MiB, while the client is still writing', async () => {
    const answer = await send('POST', '/folder/create', Buffer.alloc(3 << 20, 0x20));
    expect([answer.status, answer.json['msg']]).toEqual([
      413,
      'Maximum request body size 1048576 exceeded.',
    ]);
  });

  it('takes the limit that is configured', async () => {
    const { app } = await createPlaneApp(TestModule, {
      plane: 'manager',
      limits: { jsonBodyBytes: 100 },
    });
    await app.listen(0, '127.0.0.1');
    const answer = await fetch(`${await app.getUrl()}/folder/create`, {
      method: 'POST',
      body: ' '.repeat(101),
    });
    expect(answer.status).toBe(413);
    await answer.arrayBuffer();
    await app.close();
  });

  it('refuses a body and query where none belongs', async () => {
    expect((await send('GET', '/volumes')).status).toBe(200);
    const body = await send('GET', '/volumes', 'x');
    expect([body.status, body.json['title']]).toEqual([
      400,
      'Malformed request (request body should be empty)',
    ]);
    expect((await send('GET', '/volumes?x=1')).json['data']).toEqual({ x: 'x is not allowed key' });
  });

  it('hands upload routes the raw stream, however large', async () => {
    const answer = await send('POST', '/upload', Buffer.alloc(3 << 20), {
      'content-type': 'application/json',
    });
    expect(answer.json).toEqual({ bytes: 3 << 20 });
  });
});

describe('routing', () => {
  it('answers 404 and 405 as problems, without reading the body', async () => {
    const unknown = await send('GET', '/nowhere', '{broken');
    expect([unknown.status, unknown.json['error_code']]).toEqual([404, 'api_generic_not-found']);
    const wrong = await send('PATCH', '/jobs/1?x', '{broken');
    expect([wrong.status, wrong.headers['allow']]).toEqual([405, 'DELETE']);
    expect(wrong.json).toMatchObject({ title: 'Method Not Allowed' });
  });

  it.each(['HEAD', 'OPTIONS', 'PROPFIND', 'PUT'])('knows %s as not allowed', async (method) => {
    const answer = await send(method, '/volumes');
    expect([answer.status, answer.headers['allow']]).toEqual([405, 'GET']);
  });

  it('serves below the base path and without it', async () => {
    expect((await send('GET', '/storage/volumes')).status).toBe(200);
    expect((await send('GET', '/storagevolumes')).status).toBe(404);
  });

  it.each(['/%zz', '/volumes/..%2f', '//volumes'])('survives the path %s', async (path) => {
    const answer = await send('GET', path);
    expect([400, 404]).toContain(answer.status);
    expect(answer.json).toHaveProperty('error_code');
  });

  it('answers garbage with a problem', async () => {
    expect(await raw('NOT HTTP\r\n\r\n')).toMatch(/^HTTP\/1.1 400 [^]*"error_code"/);
  });

  it('answers headers that are too large with 431', async () => {
    const answer = await raw(
      `GET /volumes?token=${'x'.repeat(40_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 431 /);
  });

  it('takes an 8 KiB token', async () => {
    expect((await send('GET', `/folder/usage?volume=${'x'.repeat(8192)}`)).status).toBe(200);
  });
});

describe('errors', () => {
  it('keeps the fs members', async () => {
    const answer = await send('GET', '/fetch');
    expect([answer.status, answer.json]).toEqual([
      404,
      {
        type: 'https://api.backend.ai/probs/storage/file-not-found',
        title: 'File not found',
        msg: 'No such file or directory',
        error_code: 'vfolder_read_not-found',
        errno: 2,
        paths: ['a'],
      },
    ]);
  });

  it('hides what it does not know, but names the request', async () => {
    const answer = await send('GET', '/boom', undefined, { 'x-request-id': 'abc-1' });
    expect(answer.status).toBe(500);
    expect(answer.json['msg']).toBe('Internal error (request abc-1)');
    expect(answer.text).not.toContain('secret');
  });

  it('breaks the connection once bytes are out', async () => {
    await expect(send('GET', '/late')).rejects.toThrow(/aborted|ECONNRESET|hang up/);
  });
});

describe('requests', () => {
  it('echoes a sane request id and replaces another', async () => {
    const sane = await send('GET', '/volumes', undefined, { 'x-request-id': 'abc' });
    expect(sane.headers['x-request-id']).toBe('abc');
    const other = await send('GET', '/volumes', undefined, { 'x-request-id': 'a b' });
    expect(other.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('serves pipelined requests in order', async () => {
    const one = 'GET /volumes HTTP/1.1\r\nHost: a\r\nX-Request-ID: ';
    const answer = await raw(`${one}1\r\n\r\n${one}2\r\nConnection: close\r\n\r\n`);
    expect(answer.match(/x-request-id: \d/g)).toEqual(['x-request-id: 1', 'x-request-id: 2']);
  });

  it('sets security headers on errors too', async () => {
    const answer = await send('GET', '/nowhere');
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
  });
});
