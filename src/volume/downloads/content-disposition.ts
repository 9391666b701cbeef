const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** What `filename*` carries unescaped: letters, digits and these. */
const PLAIN = new Set(
  Buffer.from('_.-~/ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'),
);

/**
 * `Content-Disposition` of a download (RFC 6266), in the form clients of this wire know. `name` is the raw
 * name of the entry. The plain part keeps printable ASCII only; the extended part has every other byte
 * percent-encoded, so that it reads back exactly when the name is UTF-8 and stays valid when it is not.
 * Control characters are dropped from both: a header cannot hold them and no client wants them.
 */
export function attachmentDisposition(name: Buffer): string {
  let plain = '';
  let extended = '';
  for (const byte of name) {
    if (isControl(byte)) continue;
    if (byte < 0x80) {
      // A lone backslash would swallow what follows it in the quoted string.
      if (byte === QUOTE || byte === BACKSLASH) plain += '\\';
      plain += String.fromCharCode(byte);
    }
    extended += PLAIN.has(byte) ? String.fromCharCode(byte) : percentEncoded(byte);
  }
  return `attachment;filename="${plain}"; filename*=UTF-8''${extended}`;
}

/** C0 and DEL; bytes from 0x80 on are parts of characters. */
function isControl(byte: number): boolean {
  return byte < 0x20 || byte === 0x7f;
}

function percentEncoded(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}
