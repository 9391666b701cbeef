/**
 * Keeps credentials out of logs. Works on text that is about to be written, so that it does not
 * matter which field or message a secret strayed into.
 */
const REDACTED = '[redacted]';

/** Compact JWS: two base64url segments that begin like a JSON object, and a signature (maybe empty). */
const JWT = /\beyJ[\w-]{5,}\.eyJ[\w-]*(?:\.[\w-]*)?/g;
/** `token=` of a URL, also percent-encoded or within JSON text. */
const TOKEN_PARAMETER = /((?:^|[?&\s"'/;])token(?:=|%3[dD]))[^&\s"'#\\]+/g;
/** Credential headers in JSON (`"name":"value"`, possibly escaped) and in raw header text (`name: value`). */
const HEADER =
  /((?:x-backendai-storage-auth-token|authorization|proxy-authorization|set-cookie|cookie)\\?["']?\s*[:=]\s*\[?\s*\\?["']?)[^"'\\\r\n\],}]+/gi;

/** In whatever one of the above finds; most lines have none of it, and are looked at once instead of three times. */
const SUSPICIOUS = /eyJ|token|authorization|cookie/i;

const secrets = new Set<string>();

/**
 * Makes literal values (manager secrets, JWT keys, vendor API tokens) unprintable from now on. Values
 * shorter than eight characters are left out: they would punch holes into ordinary text.
 */
export function protectSecrets(values: Iterable<string>): void {
  for (const value of values) {
    if (value.length < 8) continue;
    for (const form of formsOf(value)) secrets.add(form);
  }
}

/** Forgets values that are worth nothing any more, such as tokens of ended sessions: each costs time with every line. */
export function unprotectSecrets(values: Iterable<string>): void {
  for (const value of values) {
    for (const form of formsOf(value)) secrets.delete(form);
  }
}

function formsOf(value: string): string[] {
  return [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value)];
}

/** The text without anything that looks like, or is known to be, a credential. */
export function redact(text: string): string {
  let clean = SUSPICIOUS.test(text) ? withoutCredentials(text) : text;
  for (const secret of secrets) clean = clean.replaceAll(secret, REDACTED);
  return clean;
}

function withoutCredentials(text: string): string {
  return text
    .replace(JWT, REDACTED)
    .replace(TOKEN_PARAMETER, `$1${REDACTED}`)
    .replace(HEADER, `$1${REDACTED}`);
}
