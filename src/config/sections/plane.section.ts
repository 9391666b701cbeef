import { GrammarError } from '../../grammar/grammar-error.js';
import { Section, Setting } from '../../grammar/section/setting.js';
import { flag, type ValueType } from '../../grammar/section/value-type.js';

/** A URL path that others are put behind: `/` is read as the empty text. */
function basePath(): ValueType<string> {
  return {
    allowed: 'a URL path such as "/" or "/storage"',
    isText: true,
    read(value) {
      if (typeof value !== 'string' || !/^(?:\/|(?:\/[\w.~-]+)+\/?)$/.test(value)) {
        throw new GrammarError(`must be ${this.allowed}`);
      }
      return value.replace(/\/$/, '');
    },
  };
}

/** `[client-plane]` and `[manager-plane]`: what the original's `[api.*]` tables have no keys for. */
@Section({ ours: true })
export class PlaneSection {
  @Setting(
    'base-path',
    'Path in front of every route, for life behind a reverse proxy that does not remove it.',
    basePath(),
    { default: '/' },
  )
  readonly basePath!: string;

  @Setting(
    'docs',
    'Serve Swagger UI on `/docs` and the OpenAPI document on `/openapi.json`.',
    flag(),
    {
      default: true,
    },
  )
  readonly docs!: boolean;
}
