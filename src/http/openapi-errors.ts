import { operationSpec, type Operation } from './operations.js';
import { exampleProblem } from './problem-examples.js';
import type { ProblemKey } from './problem-key.js';
import type { Problem } from './problem.js';

/** The parts of an OpenAPI response object that are used here. */
interface ResponseObject {
  description: string;
  content?: Record<string, { schema: object; examples: Record<string, { value: unknown }> }>;
}

/** The schema of every JSON error, for `components.schemas`. */
export const PROBLEM_SCHEMA = {
  type: 'object',
  description: 'Every JSON error has the first four members; the others appear where they help.',
  required: ['type', 'title', 'msg', 'error_code'],
  properties: {
    type: { type: 'string', format: 'uri', description: 'Identifies the kind of problem' },
    title: { type: 'string', description: 'The kind of problem in words' },
    msg: { type: 'string', description: 'What went wrong this time' },
    error_code: {
      type: 'string',
      pattern: '^[a-z-]+_[a-z-]+_[a-z-]+$',
      description: '`<domain>_<operation>_<detail>`, what a manager acts on',
    },
    data: { description: 'For wrong parameters an object of member and reason, else a text' },
    errno: {
      type: ['integer', 'null'],
      description: 'Linux error number, when a file operation failed',
    },
    paths: {
      type: 'array',
      items: { type: 'string' },
      description: 'The entries it failed on, relative to the vfolder',
    },
    vfid: { type: 'string', description: 'The vfolder concerned' },
    subpath: { type: 'string', description: 'The path that leaves the vfolder' },
  },
} as const;

export interface RouteFacts {
  readonly operation: Operation;
  /** Lower case. */
  readonly method: string;
  readonly takesBody: boolean;
  /** Names of the parameters, required ones first. */
  readonly parameters: readonly string[];
}

/** Every error answer of a route by status, with an example for each kind of problem. */
export function errorResponses(route: RouteFacts): Record<string, ResponseObject> {
  const byStatus = new Map<number, Map<ProblemKey, Problem>>();
  for (const key of problemKeysOf(route)) {
    const problem = exampleProblem(key, route.operation, route.parameters[0] ?? 'volume');
    const group = byStatus.get(problem.status) ?? new Map<ProblemKey, Problem>();
    byStatus.set(problem.status, group.set(key, problem));
  }
  return Object.fromEntries(
    [...byStatus].map(([status, problems]) => [String(status), responseOf(problems, route.method)]),
  );
}

/** What every operation of its kind can answer, and what this one can. */
function problemKeysOf(route: RouteFacts): Set<ProblemKey> {
  const { open, fails } = operationSpec(route.operation);
  const keys = new Set<ProblemKey>();
  if (route.parameters.length > 0) keys.add('INVALID_ARGUMENT/request');
  if (route.takesBody) {
    keys.add('INVALID_ARGUMENT/request/body-malformed').add('TOO_LARGE/request');
    keys.add('INVALID_ARGUMENT/request/body-late');
  }
  if (!open) {
    keys.add('UNAUTHENTICATED/request/auth-missing').add('UNAUTHENTICATED/request/auth-invalid');
    keys.add('RATE_LIMITED/request');
  }
  keys.add('UNAVAILABLE/request/overloaded');
  fails.forEach((key) => keys.add(key));
  return keys.add('INTERNAL');
}

function responseOf(problems: ReadonlyMap<ProblemKey, Problem>, method: string): ResponseObject {
  const titles = new Set([...problems.values()].map((problem) => problem.body.title));
  const description = [...titles].join('; ');
  // An answer to HEAD has no body.
  if (method === 'head') return { description };
  const content: NonNullable<ResponseObject['content']> = {};
  for (const [key, problem] of problems) {
    const mediaType = problem.headers['content-type']!.split(';')[0]!;
    const media = (content[mediaType] ??= {
      schema: { $ref: '#/components/schemas/Problem' },
      examples: {},
    });
    media.examples[key.replaceAll('/', '.')] = { value: problem.body };
  }
  return { description, content };
}
