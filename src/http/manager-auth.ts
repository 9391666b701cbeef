import { timingSafeEqual } from 'node:crypto';
import type { onRequestHookHandler } from 'fastify';
import { StorageError } from '../errors/storage-error.js';
import { countAuthFailure } from '../observability/metrics.js';
import type { AuthFailures } from './limits/auth-failures.js';
import { refuseUntil } from './limits/rate-limited.js';
import { operationSpec } from './operations.js';
import { secretField } from './secret-field.js';
import './fastify-types.js';

/** The header managers authenticate with. */
export const AUTH_HEADER = 'x-backendai-storage-auth-token';

export interface ManagerSecret {
  /** Appears in logs, so that an operator sees when a rotated secret is no longer used. */
  readonly label: string;
  readonly value: string;
}

/**
 * The hook that lets only managers in. Runs before routing results are produced, so that a stranger
 * learns nothing about paths; operations marked `open` need no secret.
 *
 * @param secrets asked for at every request, since they may be reloaded
 * @param failures who guesses too often is answered 429 without a look at what it offers
 */
export function managerAuth(
  secrets: () => readonly ManagerSecret[],
  failures?: AuthFailures,
): onRequestHookHandler {
  return (request, _reply, done) => {
    const { operation } = request.routeOptions.config;
    if (operation !== undefined && operationSpec(operation).open) {
      done();
      return;
    }
    const given = request.headers[AUTH_HEADER];
    if (typeof given !== 'string' || given === '') {
      done(refused('auth-missing', 'Missing auth token'));
      return;
    }
    const { storageContext } = request;
    const { peer } = storageContext;
    const retryAfter = failures?.retryAfter(peer);
    if (retryAfter !== undefined) {
      done(refuseUntil(storageContext.plane, retryAfter));
      return;
    }
    const match = matchingSecret(given, secrets());
    if (match === undefined) {
      countAuthFailure(storageContext.plane);
      failures?.failed(peer);
      done(refused('auth-invalid', 'Invalid auth token'));
      return;
    }
    failures?.succeeded(peer);
    storageContext.principal = `secret:${match.label}`;
    done();
  };
}

/** Of secrets that are in use; there are few, and they are asked for with every request. */
const fields = new WeakMap<ManagerSecret, Buffer>();
/** Of the secret that is looked at. */
const scratch = secretField('', 'latin1');

/** Compares with every secret, and all of a field: neither position nor length shows in the time taken. */
function matchingSecret(
  given: string,
  secrets: readonly ManagerSecret[],
): ManagerSecret | undefined {
  // Node decodes header bytes as latin1; secrets in the configuration are UTF-8.
  const field = secretField(given, 'latin1', scratch);
  let match: ManagerSecret | undefined;
  for (const secret of secrets) {
    if (timingSafeEqual(field, fieldOf(secret))) match ??= secret;
  }
  return match;
}

function fieldOf(secret: ManagerSecret): Buffer {
  const known = fields.get(secret);
  if (known) return known;
  const field = secretField(secret.value, 'utf8');
  fields.set(secret, field);
  return field;
}

function refused(reason: 'auth-missing' | 'auth-invalid', message: string): StorageError {
  return new StorageError('UNAUTHENTICATED', message, { subject: 'request', reason });
}
