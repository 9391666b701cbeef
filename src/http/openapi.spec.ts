import type { AddressInfo } from 'node:net';
import { Controller, Delete, Get, Module, Post } from '@nestjs/common';
import { ApiOkResponse } from '@nestjs/swagger';
import { configureLogging } from '../observability/logger.js';
import { installDocs } from './docs-page.js';
import {
  AnyObject,
  LenientBool,
  LenientInt,
  ObjectOf,
  ParsedOneOrMany,
  Text,
} from './dto-decorators.js';
import { buildOpenApi } from './openapi.js';
import { Operation } from './operation.decorator.js';
import { createPlaneApp, type PlaneApp } from './plane-app.js';
import { Parameters } from './query-or-body.js';
import { send } from './testing/http-client.js';

const doc = { summary: 'Summary', description: 'Description.' };

class OptionsDto {
  @LenientInt({ description: 'Limit in bytes', minimum: 0, nullable: true })
  limit_bytes!: number | null;
}

class ScopeDto {
  @Text({ description: 'Volume', example: 'local' })
  volume!: string;

  @LenientBool({ description: 'Flag', optional: true, default: false })
  flag = false;

  @ObjectOf(() => OptionsDto, { description: 'Options', optional: true, nullable: true })
  options?: OptionsDto | null;

  @AnyObject({ description: 'Extra', optional: true, nullable: true })
  extra?: Record<string, unknown> | null;

  @ParsedOneOrMany((text) => text, { description: 'Paths', optional: true, maxItems: 50 })
  paths: string[] = [];
}

class GetDto {
  @Text({ description: 'Volume', example: 'local' })
  volume!: string;

  @Text({ description: 'Scope', optional: true, nullable: true })
  scope?: string | null;
}

@Controller()
class TestController {
  @Post('quota-scope')
  @Operation('quota-scope.create', doc)
  create(@Parameters() parameters: ScopeDto): object {
    return parameters;
  }

  @Get('quota-scope')
  @Operation('quota-scope.read', doc)
  @ApiOkResponse({ description: 'Fine' })
  read(@Parameters() parameters: GetDto): object {
    return parameters;
  }

  @Delete('quota-scope/quota')
  @Operation('quota-scope.unset', doc)
  unset(@Parameters() parameters: GetDto): object {
    return parameters;
  }

  @Get()
  @Operation('status.read', { ...doc, body: 'none' })
  status(): object {
    return { status: 'ok' };
  }

  @Get('status')
  @Operation('status.read', { ...doc, body: 'none' })
  statusAgain(): object {
    return this.status();
  }
}

@Module({ controllers: [TestController] })
class TestModule {}

let plane: PlaneApp;
let document: ReturnType<typeof buildOpenApi>;

beforeAll(async () => {
  configureLogging({ level: 'fatal' });
  plane = await createPlaneApp(TestModule, { plane: 'manager' });
  document = buildOpenApi(plane.app, {
    plane: 'manager',
    title: 'Test <API>',
    description: 'd',
    version: '1.2.3',
    tags: { things: 'Things' },
  });
  installDocs(plane.fastify, 'Test <API>', () => document);
  await plane.app.listen(0, '127.0.0.1');
}, 120_000);

afterAll(() => plane.app.close());

const get = (path: string) =>
  send((plane.app.getHttpServer().address() as AddressInfo).port, 'GET', path);

type Json = Record<string, never>;
const at = (...path: (string | number)[]): unknown =>
  path.reduce<unknown>((node, key) => (node as Json | undefined)?.[key], document);

describe('the OpenAPI document', () => {
  it('is 3.1, with a server relative to itself', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(document.servers).toEqual([
      { url: '.', description: 'This server', variables: undefined },
    ]);
  });

  it('states the coerced unions, defaults and nulls', () => {
    expect(at('components', 'schemas', 'Scope')).toMatchObject({
      required: ['volume'],
      properties: {
        volume: { type: 'string', minLength: 1, example: 'local' },
        flag: {
          default: false,
          anyOf: [
            { type: 'boolean' },
            { type: 'integer', enum: [0, 1] },
            { type: 'string', enum: expect.arrayContaining(['yes', 'none']) as string[] },
            { type: 'null' },
          ],
        },
        options: {
          anyOf: [{ $ref: '#/components/schemas/Options' }, { type: 'null' }],
        },
        extra: { type: ['object', 'null'], additionalProperties: true },
        paths: { anyOf: [{ type: 'string' }, { type: 'array', maxItems: 50 }] },
      },
    });
    expect(at('components', 'schemas', 'Scope', 'properties', 'flag')).not.toHaveProperty('type');
  });

  it('documents GET and DELETE parameters in the query', () => {
    expect(at('paths', '/quota-scope', 'get', 'requestBody')).toBeUndefined();
    expect(at('paths', '/quota-scope', 'get', 'parameters')).toMatchObject([
      { name: 'volume', in: 'query', required: true, schema: { type: 'string' } },
      { name: 'scope', in: 'query', required: false, schema: { type: ['string', 'null'] } },
    ]);
    expect(at('components', 'schemas', 'Get')).toBeUndefined();
  });

  it('lists every error answer with examples', () => {
    const responses = at('paths', '/quota-scope', 'get', 'responses') as object;
    expect(Object.keys(responses)).toEqual('200 400 403 404 408 413 429 500 503'.split(' '));
    expect(
      at('paths', '/quota-scope', 'get', 'responses', '400', 'content', 'application/problem+json'),
    ).toMatchObject({
      schema: { $ref: '#/components/schemas/Problem' },
      examples: { 'INVALID_ARGUMENT.request': { value: { data: { volume: 'is required' } } } },
    });
    expect(at('paths', '/quota-scope', 'post', 'responses', '409', 'content')).toHaveProperty([
      'application/json',
      'examples',
      'ALREADY_EXISTS.quota-scope',
      'value',
      'msg',
    ]);
  });

  it('asks for the secret except where none is needed', () => {
    expect(at('paths', '/quota-scope', 'get', 'security')).toEqual([{ managerSecret: [] }]);
    expect(at('paths', '/', 'get', 'security')).toEqual([]);
  });
});

describe('examples', () => {
  it('puts messages together from their members, without idle ones in requests', () => {
    expect(at('paths', '/quota-scope', 'post', 'requestBody', 'content')).toMatchObject({
      'application/json': { example: { volume: 'local', flag: true } },
    });
  });

  it('gives required parameters alone an example, since Swagger UI sends it along', () => {
    const parameters = at('paths', '/quota-scope', 'get', 'parameters') as object[];
    expect(parameters[0]).toMatchObject({ name: 'volume', example: 'local' });
    expect(parameters[1]).not.toHaveProperty('example');
  });
});

it('tells two paths of one operation apart by id', () => {
  expect(at('paths', '/', 'get', 'operationId')).toBe('status.read');
  expect(at('paths', '/status', 'get', 'operationId')).toBe('status.read.status');
});

describe('the docs page', () => {
  it('links only to named assets, relatively', async () => {
    const page = await get('/docs');
    expect(page.status).toBe(200);
    expect(page.headers['content-security-policy']).toMatch(
      /default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'/,
    );
    expect(page.text).toContain('<title>Test &lt;API></title>');
    const links = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]!);
    expect(links).toHaveLength(4);
    for (const link of links) {
      expect(link).not.toMatch(/^[/.]|:/);
      expect((await get(`/${link}`)).status).toBe(200);
    }
  });

  it('serves the document, and nothing else of the package', async () => {
    const { text, headers } = await get('/openapi.json');
    expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(document)));
    expect(headers['content-type']).toBe('application/json; charset=utf-8');
    expect((await get('/docs/index.html')).status).toBe(404);
    expect((await get('/docs/swagger-ui-bundle.js.map')).status).toBe(404);
    expect((await get('/docs/')).headers['location']).toBe('../docs');
  });
});
