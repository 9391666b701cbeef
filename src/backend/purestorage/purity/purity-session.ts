import { protectSecrets, unprotectSecrets } from '../../../observability/redact.js';
import { refusal } from './answer-body.js';
import type { Answer, Call, Exchange } from './exchange.js';
import { PurityError } from './purity-error.js';

/** The array ends sessions that were idle (30 minutes unless configured): 401 says so in REST 2, 403 in REST 1. */
const EXPIRED = [401, 403];
/** How long a refused login stands: an array locks users whose logins fail again and again. */
const REFUSED_MS = 30_000;
/** How long a resource counts as refused for want of permission, which a session that has expired must not look like for ever. */
const FORBIDDEN_MS = 10 * 60_000;

/**
 * A login with an API token that all calls share. It is made when first needed, by one request however many wait
 * for it, and made anew once when the array no longer knows it.
 */
export class PuritySession {
  #login: Promise<string> | undefined;
  #refused: { readonly error: PurityError; readonly at: number } | undefined;
  /** When resources were last refused to a new session too, which thus is no question of its age. */
  readonly #forbidden = new Map<string, number>();

  constructor(
    private readonly exchange: Exchange,
    private readonly apiToken: string,
    private readonly now: () => number = () => performance.now(),
  ) {
    protectSecrets([apiToken]);
  }

  /** Sends a call with the session. Rejects with PurityError `token` when the login is refused. */
  async send(call: Call): Promise<Answer> {
    const login = this.#current();
    const token = await login;
    const answer = await this.#sendWith(token, call);
    const resource = resourceOf(call);
    if (!EXPIRED.includes(answer.status) || this.#isForbidden(resource)) return answer;
    // Whoever comes first makes the new login, the others find it.
    if (this.#login === login) {
      this.#login = undefined;
      void this.#end(token);
    }
    const again = await this.#sendWith(await this.#current(), call);
    if (EXPIRED.includes(again.status)) this.#forbidden.set(resource, this.now());
    else this.#forbidden.delete(resource);
    return again;
  }

  #isForbidden(resource: string): boolean {
    const since = this.#forbidden.get(resource);
    return since !== undefined && this.now() - since < FORBIDDEN_MS;
  }

  /** Tells the array that the session is over, if it can be reached; never rejects. */
  async logout(): Promise<void> {
    const login = this.#login;
    this.#login = undefined;
    const token = await login?.catch(() => undefined);
    if (token !== undefined) await this.#end(token);
  }

  async #end(token: string): Promise<void> {
    try {
      await this.#sendWith(token, { method: 'POST', path: '/api/logout' });
    } catch {
      // It ends by itself when it has been idle.
    }
    unprotectSecrets([token]);
  }

  #current(): Promise<string> {
    const login = (this.#login ??= this.#logIn());
    login.catch(() => {
      if (this.#login === login) this.#login = undefined;
    });
    return login;
  }

  async #logIn(): Promise<string> {
    if (this.#refused && this.now() - this.#refused.at < REFUSED_MS) throw this.#refused.error;
    const answer = await this.exchange.send({
      method: 'POST',
      path: '/api/login',
      headers: { 'api-token': this.apiToken },
    });
    if ([400, 401, 403].includes(answer.status)) {
      const error = new PurityError(
        'token',
        `${refusal(answer, 'the login').message}. Check "purity_api_token": pureadmin list --api-token shows what there is`,
      );
      this.#refused = { error, at: this.now() };
      throw error;
    }
    this.#refused = undefined;
    if (answer.status !== 200) throw refusal(answer, 'the login');
    const token = answer.headers['x-auth-token'];
    if (typeof token !== 'string' || token === '') {
      throw new PurityError('malformed', 'the array answered the login without x-auth-token');
    }
    protectSecrets([token]);
    return token;
  }

  #sendWith(token: string, call: Call): Promise<Answer> {
    return this.exchange.send({ ...call, headers: { ...call.headers, 'x-auth-token': token } });
  }
}

/** Without the query, in which pages and names differ. */
function resourceOf({ method, path }: Call): string {
  return `${method} ${path.split('?', 1)[0]}`;
}
