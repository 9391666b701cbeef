import type { TransferLimits } from '../../client-api/limits/transfer-limits.js';
import type { LimitsSection } from '../../config/sections/limits.section.js';
import type { Settings } from '../../config/settings.js';
import type { AuthFailureOptions } from '../../http/limits/auth-failures.js';
import type { HttpLimits } from '../../http/limits/http-limits.js';

/** The configuration as listeners see it. */
export function httpLimits(limits: LimitsSection): HttpLimits {
  return {
    connections: limits.connections,
    headerBytes: limits.headerSizeBytes,
    headerTimeoutMs: limits.headerTimeoutMs,
    keepAliveMs: limits.keepAliveTimeoutMs,
    jsonBodyBytes: limits.jsonBodySizeBytes,
    jsonBodyTimeoutMs: limits.jsonBodyTimeoutMs,
  };
}

export function authLimits(limits: LimitsSection): AuthFailureOptions {
  return { burst: limits.authFailures, windowMs: limits.authFailureWindowMs };
}

export function transferLimits({ limits, uploads }: Settings): TransferLimits {
  return {
    perToken: limits.transfersPerToken,
    perVolume: limits.transfersPerVolume,
    uploadWaitMs: uploads.lockWaitMs,
    authFailures: authLimits(limits),
  };
}
