import { loggerFor } from '../../observability/logger.js';
import { requestFacts, type RequestContext } from '../../observability/request-context.js';
import type { TransferResult } from '../../volume/downloads/response-body.js';

const log = loggerFor('downloads');

/**
 * Says why a body ends in the middle. The client sees a broken connection and nothing else, since status
 * and headers were sent long before; that a client left is its own business.
 */
export function reportTransfer(
  request: RequestContext,
  what: string,
  result: TransferResult,
): void {
  // What came to its end the access log tells of.
  if (result.end === 'complete') return;
  const facts = { ...requestFacts(request), what, end: result.end, sent_bytes: result.sentBytes };
  switch (result.end) {
    case 'failed':
      log.error('A transfer failed and its connection was cut', { ...facts, err: result.error });
      break;
    case 'file-changed':
    case 'client-idle':
      log.warn('A transfer was cut off', facts);
      break;
    case 'client-gone':
      log.debug('A transfer ended', facts);
  }
}
