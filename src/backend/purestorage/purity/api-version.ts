/** A REST version of Purity//FB: `1.8`, `1.8.1`, `2.28`. Compared part by part as numbers, so `1.10` is above `1.9`. */
export type ApiVersion = readonly number[];

/** What this client was written for: REST 1.8 to 1.12 and all of 2.x, whose later minors only add (vendor OpenAPI files). */
const OLDEST: ApiVersion = [1, 8];
const NEWEST: ApiVersion = [2, 28];

/** Undefined for what is not a version. */
export function parseApiVersion(text: string): ApiVersion | undefined {
  return /^\d{1,4}(\.\d{1,4}){1,2}$/.test(text) ? text.split('.').map(Number) : undefined;
}

export function formatApiVersion(version: ApiVersion): string {
  return version.join('.');
}

/** Negative when `a` is the older one; a missing part counts as 0. */
export function compareApiVersions(a: ApiVersion, b: ApiVersion): number {
  const parts = Math.max(a.length, b.length);
  for (let index = 0; index < parts; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The highest version that both sides know; undefined when there is none. Entries that are no version are passed by. */
export function chooseApiVersion(offered: readonly string[]): ApiVersion | undefined {
  return offered
    .map(parseApiVersion)
    .filter((version) => version !== undefined)
    .filter(
      (version) =>
        compareApiVersions(version, OLDEST) >= 0 && compareApiVersions(version, NEWEST) <= 0,
    )
    .toSorted(compareApiVersions)
    .at(-1);
}

/** For messages: what can be negotiated. */
export const KNOWN_API_VERSIONS = `${formatApiVersion(OLDEST)} to ${formatApiVersion(NEWEST)}`;
