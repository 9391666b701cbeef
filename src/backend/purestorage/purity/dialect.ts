import type { ApiVersion } from './api-version.js';
import { formatApiVersion } from './api-version.js';
import { numberIn, objectIn, objectsIn, textIn, type JsonObject } from './json-view.js';

/** One page of a list. */
export interface Page {
  readonly items: readonly JsonObject[];
  /** `total`, which is an array in performance answers and a single object elsewhere (vendor OpenAPI files). */
  readonly totals: readonly JsonObject[];
  /** Of all pages; `null` when the array does not tell. */
  readonly itemCount: number | null;
  /** `null` on the last page. */
  readonly continuation: string | null;
}

/** What differs between REST 1.x and 2.x for the calls that we make. */
export interface Dialect {
  readonly version: string;
  /** `/api/1.8/` */
  readonly prefix: string;
  /** Name of the parameter that asks for the next page. */
  readonly continuationParameter: string;
  page(body: JsonObject): Page;
}

/** The adapter for a version: everything above the dialect is the same for both families. */
export function dialectFor(version: ApiVersion): Dialect {
  const text = formatApiVersion(version);
  const isFirst = version[0] === 1;
  return {
    version: text,
    prefix: `/api/${text}/`,
    continuationParameter: isFirst ? 'token' : 'continuation_token',
    page: (body) => {
      const paging = isFirst ? objectIn(body, 'pagination_info') : body;
      return {
        items: objectsIn(body, 'items'),
        totals: totalsOf(body),
        itemCount: numberIn(paging, 'total_item_count'),
        continuation: textIn(paging, 'continuation_token'),
      };
    },
  };
}

function totalsOf(body: JsonObject): readonly JsonObject[] {
  const single = objectIn(body, 'total');
  return single ? [single] : objectsIn(body, 'total');
}
