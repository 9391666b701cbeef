import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { run } from '../support/programs.js';
import { TestServer } from '../support/server.js';

const PLANES = ['manager', 'client'] as const;
const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'];
/** Bodies that no text could show. */
const BINARY = ['application/zip', 'multipart/byteranges'];

interface Media {
  readonly schema: { readonly $ref?: string; readonly example?: unknown };
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}
interface Body {
  readonly description?: string;
  readonly content?: Readonly<Record<string, Media>>;
}
interface Parameter {
  readonly name: string;
  readonly description?: string;
  readonly required?: boolean;
  readonly example?: unknown;
  readonly schema: object;
}
interface Operation {
  readonly operationId: string;
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly object[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Body;
  readonly responses: Readonly<Record<string, Body>>;
}
interface Document {
  readonly info: Readonly<Record<string, unknown>>;
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, object>>;
    readonly securitySchemes?: Readonly<Record<string, object>>;
  };
}

const committed = (plane: string): string => readFileSync(join('openapi', `${plane}.json`), 'utf8');

describe('openapi/', () => {
  const directory = mkdtempSync(join(tmpdir(), 'openapi-'));
  beforeAll(() => run(process.execPath, 'dist/main.js', 'openapi', directory));
  afterAll(() => rmSync(directory, { recursive: true }));

  it.each(PLANES)(
    'has the %s document that the code makes; otherwise run `npm run docs:openapi`',
    (plane) => {
      const made = readFileSync(join(directory, `${plane}.json`), 'utf8');
      expect(made === committed(plane) || firstDifference(made, committed(plane))).toBe(true);
    },
  );
});

describe.each(PLANES)('the document of the %s plane', (plane) => {
  const document = JSON.parse(committed(plane)) as Document;
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map(
      (method) => [`${method.toUpperCase()} ${path}`, item[method]!, method] as const,
    ),
  );
  const check = validator(document);

  it('says what it is', () => {
    expect(document.info).toMatchObject({
      title: `Storage Proxy: ${plane} plane`,
      version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
      license: { name: 'Apache-2.0' },
    });
    expect(String(document.info.description).length).toBeGreaterThan(200);
  });

  it('asks for the secret on the manager plane alone', () => {
    const schemes = Object.values(document.components.securitySchemes ?? {});
    expect(schemes).toHaveLength(plane === 'manager' ? 1 : 0);
    if (plane === 'manager') {
      expect(schemes[0]).toMatchObject({ in: 'header', name: 'X-BackendAI-Storage-Auth-Token' });
    }
  });

  it.each(operations)('%s is explained', (_route, operation) => {
    expect(operation.summary).toMatch(/^[A-Z][^.]{7,70}$/);
    expect(operation.description).toMatch(/.{40,}\./s);
    expect(operation.security).toBeDefined();
    const tags = document.tags.map(({ name }) => name);
    expect(operation.tags?.map((tag) => tags.includes(tag))).toEqual([true]);
    for (const parameter of operation.parameters ?? []) {
      expect(parameter.description).toMatch(/./);
      expect(parameter.required !== true || parameter.example !== undefined).toBe(true);
    }
    for (const response of Object.values(operation.responses)) {
      expect(response.description).toMatch(/./);
    }
  });

  it.each(operations)('%s lists its errors', (route, operation, method) => {
    const errors = Object.entries(operation.responses).filter(([status]) => Number(status) >= 400);
    const statuses = errors.map(([status]) => status);
    expect(statuses).toContain('500');
    if (operation.security?.length) expect(statuses).toContain('403');
    if (operation.requestBody || operation.parameters?.length) {
      expect(statuses).toEqual(expect.arrayContaining(['400']));
    }
    if (method === 'head') return;
    for (const [status, { content = {} }] of errors) {
      const shown = Object.values(content).flatMap(examplesOf);
      expect([route, status, shown.length > 0]).toEqual([route, status, true]);
    }
  });

  it.each(operations)('%s shows messages that fit their schemas', (_route, operation, method) => {
    const successes = Object.entries(operation.responses).filter(
      ([status]) => Number(status) < 300,
    );
    expect(successes.length).toBeGreaterThan(0);
    for (const body of [operation.requestBody, ...Object.values(operation.responses)]) {
      if (method === 'head') continue;
      for (const [type, media] of Object.entries(body?.content ?? {})) {
        if (BINARY.includes(type)) continue;
        const examples = examplesOf(media);
        expect([type, examples.length > 0]).toEqual([type, true]);
        for (const example of examples) expect(check(media.schema, example)).toBeNull();
      }
    }
    for (const { schema, example } of operation.parameters ?? []) {
      if (example !== undefined) expect(check(schema, example)).toBeNull();
    }
  });
});

describe('the requests that the manager document shows', () => {
  const { paths } = JSON.parse(committed('manager')) as Document;
  const requests = Object.entries(paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method] && !path.includes('{')).map((method) => {
      const { parameters = [], requestBody } = item[method]!;
      const query = new URLSearchParams();
      for (const { name, example } of parameters) {
        if (typeof example === 'string') query.set(name, example);
      }
      const body = requestBody?.content?.['application/json']?.example as object | undefined;
      const url = query.size > 0 ? `${path}?${query.toString()}` : path;
      return [method.toUpperCase(), url, body] as const;
    }),
  );
  let server: TestServer;
  beforeAll(async () => {
    server = await TestServer.start();
  });
  afterAll(() => server.stop());

  // Whether what they name exists is another matter: the order is that of the document.
  it.each(requests)('%s %s is understood', async (method, path, body) => {
    const answer = await server.manager(method, path, body);
    expect(answer.text).not.toMatch(/Invalid (or Missing )?API parameters|Malformed request/i);
    expect([200, 202, 204, 207, 400, 404, 409, 422]).toContain(answer.status);
  });
});

function examplesOf({ schema, example, examples = {} }: Media): unknown[] {
  const single = example ?? schema.example;
  return [
    ...(single === undefined ? [] : [single]),
    ...Object.values(examples).map(({ value }) => value),
  ];
}

/** A function that tells what is wrong with a value; `null` when nothing is. */
function validator({ components }: Document): (schema: object, value: unknown) => string | null {
  // OpenAPI adds words to JSON Schema, and formats are hints.
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema({ $id: 'document', components });
  const compiled = new Map<string, ValidateFunction>();
  return (schema, value) => {
    const text = JSON.stringify(schema).replaceAll('"#/components/', '"document#/components/');
    const validate = compiled.get(text) ?? ajv.compile(JSON.parse(text) as object);
    compiled.set(text, validate);
    return validate(value) ? null : `${JSON.stringify(value)}: ${ajv.errorsText(validate.errors)}`;
  };
}

function firstDifference(made: string, kept: string): string {
  const lines = kept.split('\n');
  const at = made.split('\n').findIndex((line, index) => line !== lines[index]);
  return `line ${at + 1}: ${made.split('\n')[at]} instead of ${lines[at]}`;
}
