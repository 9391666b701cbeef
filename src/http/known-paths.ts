import type { FastifyInstance } from 'fastify';
import { StorageError } from '../errors/storage-error.js';
import './fastify-types.js';

/**
 * Answers requests that no route takes: 405 with `Allow` when the path exists under other methods, else
 * 404. Must be installed before routes are registered, and after whatever has to come first
 * (authentication). Runs before the body is read.
 */
export function installKnownPaths(fastify: FastifyInstance): void {
  const paths = new KnownPaths();
  fastify.addHook('onRoute', (route) => {
    for (const method of [route.method].flat()) paths.add(route.url, method);
  });
  fastify.addHook('onRequest', (request, _reply, done) => {
    done(request.is404 ? paths.refusal(request.url, request.method) : undefined);
  });
}

class KnownPaths {
  private readonly methodsByUrl = new Map<string, Set<string>>();
  private readonly patterns = new Map<string, RegExp>();

  add(url: string, method: string): void {
    const methods = this.methodsByUrl.get(url) ?? new Set();
    methods.add(method);
    this.methodsByUrl.set(url, methods);
    if (url.includes(':')) this.patterns.set(url, patternOf(url));
  }

  refusal(url: string, method: string): StorageError {
    const path = url.replace(/[?#].*$/s, '');
    const methods = this.methodsOf(path);
    if (methods.size === 0)
      return new StorageError('NOT_FOUND', 'No such path', { subject: 'route' });
    const allow = [...methods].toSorted().join(',');
    return new StorageError('METHOD_NOT_ALLOWED', `${method} is not allowed here, only ${allow}`, {
      subject: 'route',
      headers: { allow },
    });
  }

  private methodsOf(path: string): Set<string> {
    const methods = new Set(this.methodsByUrl.get(path));
    for (const [url, pattern] of this.patterns) {
      if (!pattern.test(path)) continue;
      for (const method of this.methodsByUrl.get(url) ?? []) methods.add(method);
    }
    return methods;
  }
}

/** Route templates here use whole-segment parameters only (`/jobs/:id`). */
function patternOf(url: string): RegExp {
  const segments = url
    .split('/')
    .map((segment) =>
      segment.startsWith(':')
        ? '[^/]+'
        : segment.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`),
    );
  return new RegExp(`^${segments.join('/')}$`);
}
