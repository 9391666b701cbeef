import { bodyOf } from './answer-body.js';
import {
  chooseApiVersion,
  formatApiVersion,
  KNOWN_API_VERSIONS,
  type ApiVersion,
} from './api-version.js';
import { dialectFor, type Dialect, type Page } from './dialect.js';
import { Exchange, type ExchangeOptions } from './exchange.js';
import type { JsonObject } from './json-view.js';
import { PurityError } from './purity-error.js';
import { PuritySession } from './purity-session.js';
import { retrying } from './retrying.js';

export interface PurityClientOptions extends ExchangeOptions {
  readonly apiToken: string;
  /** `null`: the highest one that both sides know. */
  readonly version: ApiVersion | null;
}

export type Parameters = Readonly<Record<string, string | number>>;

/** Asked for per page; an array that allows fewer reduces it silently. */
const PAGE_SIZE = 1000;
/** A list that does not come to its end is a defect of the array. */
const MAX_PAGES = 1000;

/**
 * The REST API of one Purity//FB array, 1.x and 2.x alike. Only reads. All methods reject with PurityError, after
 * what passes by itself was tried again.
 */
export class PurityClient {
  readonly #exchange: Exchange;
  readonly #session: PuritySession;
  #dialect: Promise<Dialect> | undefined;

  constructor(private readonly options: PurityClientOptions) {
    this.#exchange = new Exchange(options);
    this.#session = new PuritySession(this.#exchange, options.apiToken);
  }

  /** The version that is spoken, for operators. */
  async version(): Promise<string> {
    return (await this.#speak()).version;
  }

  /** All items of a list, page by page. */
  async *items(resource: string, parameters: Parameters = {}): AsyncGenerator<JsonObject, void> {
    const { continuationParameter } = await this.#speak();
    let continuation: string | null = null;
    for (let page = 0; page < MAX_PAGES; page++) {
      const next: Parameters =
        continuation === null ? {} : { [continuationParameter]: continuation };
      const got: Page = await this.page(resource, { limit: PAGE_SIZE, ...parameters, ...next });
      yield* got.items;
      ({ continuation } = got);
      if (continuation === null) return;
    }
    throw new PurityError('malformed', `the array's list of ${resource} does not end`);
  }

  /** One page, with the totals that come along. */
  async page(resource: string, parameters: Parameters = {}): Promise<Page> {
    const dialect = await this.#speak();
    try {
      return await this.#pageIn(dialect, resource, parameters);
    } catch (error) {
      // An upgrade of the array may end the version that is spoken; nothing that we ask for is missing otherwise.
      if (!(error instanceof PurityError) || error.status !== 404) throw error;
      const next = await this.#speakAnew(dialect);
      if (next.version === dialect.version) throw error;
      return await this.#pageIn(next, resource, parameters);
    }
  }

  async #pageIn(dialect: Dialect, resource: string, parameters: Parameters): Promise<Page> {
    const query = new URLSearchParams(
      Object.entries(parameters).map(([name, value]): [string, string] => [name, String(value)]),
    ).toString();
    const path = `${dialect.prefix}${resource}${query === '' ? '' : `?${query}`}`;
    return await retrying(async () => {
      const answer = await this.#session.send({ method: 'GET', path });
      return dialect.page(bodyOf(answer, `GET ${resource}`));
    });
  }

  /** Ends the session and the connections; never rejects. */
  async close(): Promise<void> {
    await this.#session.logout();
    this.#exchange.close();
  }

  /** Asks which versions there are, unless somebody else has since `before`. */
  async #speakAnew(before: Dialect): Promise<Dialect> {
    const current = this.#dialect;
    if (current !== undefined && (await current) !== before) return await current;
    if (this.#dialect === current) this.#dialect = undefined;
    return await this.#speak();
  }

  /** Asked for again after a failure. */
  #speak(): Promise<Dialect> {
    const dialect = (this.#dialect ??= this.#negotiate());
    dialect.catch(() => {
      if (this.#dialect === dialect) this.#dialect = undefined;
    });
    return dialect;
  }

  async #negotiate(): Promise<Dialect> {
    const offered = await retrying(async () => {
      const answer = await this.#exchange.send({ method: 'GET', path: '/api/api_version' });
      const { versions } = bodyOf(answer, 'GET api_version');
      if (Array.isArray(versions)) return versions.filter((each) => typeof each === 'string');
      throw new PurityError('malformed', 'the array does not tell its API versions');
    });
    const wanted = this.options.version;
    if (wanted !== null) return dialectFor(offeredOr(wanted, offered));
    const chosen = chooseApiVersion(offered);
    if (chosen !== undefined) return dialectFor(chosen);
    throw new PurityError(
      'refused',
      `the array offers REST versions ${offered.join(', ') || 'none'}, this proxy speaks ${KNOWN_API_VERSIONS}`,
    );
  }
}

function offeredOr(wanted: ApiVersion, offered: readonly string[]): ApiVersion {
  const text = formatApiVersion(wanted);
  if (offered.includes(text)) return wanted;
  throw new PurityError(
    'refused',
    `the array does not offer purity_api_version = "${text}" but ${offered.join(', ') || 'none'}. Correct it, or leave it out to use the newest`,
  );
}
