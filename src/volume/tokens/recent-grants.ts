/** Enough for the transfers that one worker has under way; each costs about a kilobyte. */
const MAX_GRANTS = 2048;
/** Longer tokens are those of archives with many files, which are used once. */
const MAX_TOKEN_LENGTH = 1024;

/**
 * What tokens that were verified lately grant: uploads and downloads in parts come with the same token again and again. The
 * very text whose signature was right is right again; whether it has expired is asked each time.
 */
export class RecentGrants<Grant extends { readonly expiresAt: Date }> {
  readonly #grants = new Map<string, Grant>();

  /** Undefined for a token that has to be verified. */
  get(token: string): Grant | undefined {
    const grant = this.#grants.get(token);
    if (grant === undefined || Date.now() < grant.expiresAt.getTime()) return grant;
    this.#grants.delete(token);
    return undefined;
  }

  add(token: string, grant: Grant): void {
    if (token.length > MAX_TOKEN_LENGTH) return;
    const [oldest] = this.#grants.keys();
    if (oldest !== undefined && this.#grants.size >= MAX_GRANTS) this.#grants.delete(oldest);
    this.#grants.set(token, grant);
  }
}
