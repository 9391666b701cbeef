import { createHmac } from 'node:crypto';

export type Claims = Readonly<Record<string, unknown>>;

export const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;

const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A transfer token as protocol section 4.1 has it, made without the product. */
export function signToken(claims: Claims, key: string, header: Claims = {}): string {
  const signed = `${encode({ alg: 'HS256', typ: 'JWT', ...header })}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}

/** Header and claims of a token whose signature is right. */
export function readToken(token: unknown, key: string): { header: Claims; claims: Claims } {
  const [header = '', claims = '', signature] = String(token).split('.');
  const expected = createHmac('sha256', key).update(`${header}.${claims}`).digest('base64url');
  if (signature !== expected) throw new Error('the signature of the token is wrong');
  const decode = (part: string): Claims =>
    JSON.parse(Buffer.from(part, 'base64url').toString()) as Claims;
  return { header: decode(header), claims: decode(claims) };
}
