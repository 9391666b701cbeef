/** Keys, lifetimes and scripts of the upload registry (protocol section 9). */
export const LEASE_SECONDS = 30;
export const OFFSET_SECONDS = 86_400;

export const leaseKey = (session: string): string => `tus.upload.lease:${session}`;
export const offsetKey = (session: string): string => `tus.upload.offset:${session}`;

/** KEYS: lease. ARGV: the holder that is dead, the new one, seconds. */
export const COMPARE_AND_TAKE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
`;

/** KEYS: lease. ARGV: holder, seconds. The original extends whatever lease there is. */
export const RENEW = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('EXPIRE', KEYS[1], ARGV[2])
`;

/** KEYS: lease. ARGV: holder. */
export const RELEASE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
`;

/**
 * KEYS: lease, offset. ARGV: holder, offset, seconds, "1" to give the lease up. Sets where the original adds:
 * the staging file knows better than a counter that a flush may have taken away.
 */
export const COMMIT = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
if ARGV[4] == '1' then redis.call('DEL', KEYS[1]) end
return tonumber(ARGV[2])
`;

/** KEYS: lease, offset. ARGV: holder. */
export const COMPLETE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1], KEYS[2])
`;
