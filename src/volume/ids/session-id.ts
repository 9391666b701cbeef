import { randomBytes } from 'node:crypto';

const GRAMMAR = /^[0-9a-f]{32}$/;

/** 128 random bits as 32 lower-case hex digits: name of the staging file and claim of the token (protocol section 2.8). */
export function newSessionId(): string {
  return randomBytes(16).toString('hex');
}

/** Whether `text` can be a session id, and so is safe as a file name. */
export function isSessionId(text: string): boolean {
  return GRAMMAR.test(text);
}
