const DASHED = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const HEX = /^[0-9a-f]{32}$/i;

/** The 32 lower-case hex digits of a UUID written dashed or as plain hex; `undefined` for anything else. */
export function uuidHex(text: string): string | undefined {
  if (!DASHED.test(text) && !HEX.test(text)) return undefined;
  return text.replaceAll('-', '').toLowerCase();
}

/** Dashed lower-case form of 32 hex digits. */
export function dashedUuid(hex: string): string {
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}
