import { CodecError, type Codec } from './codec.js';

/** PATH_MAX without its NUL. */
const MAX_PATH_BYTES = 4095;
const MAX_NAME_BYTES = 255;
const SLASH = '/';

/**
 * A path below a volume's mount path: bytes, in base64. Only what names one entry in one way is taken: no empty
 * component, no `.` and `..`, so neither the mount path itself nor anything beside it can be meant.
 */
export const volumePath: Codec<Buffer> = {
  encode: (path) => path.toString('base64'),
  decode(json) {
    if (typeof json !== 'string') throw new CodecError('must be bytes in base64');
    const path = Buffer.from(json, 'base64');
    // Buffer.from passes over what is not base64.
    if (path.toString('base64') !== json) throw new CodecError('must be bytes in base64');
    const reason = refusal(path);
    if (reason !== undefined) throw new CodecError(`must be a path below the volume: ${reason}`);
    return path;
  },
};

function refusal(path: Buffer): string | undefined {
  if (path.length > MAX_PATH_BYTES) return 'it is too long';
  if (path.includes(0)) return 'it has a NUL';
  for (const name of path.toString('latin1').split(SLASH)) {
    if (name === '') return 'a component is empty';
    if (name === '.' || name === '..') return `a component is "${name}"`;
    if (name.length > MAX_NAME_BYTES) return 'a component is too long';
  }
  return undefined;
}
