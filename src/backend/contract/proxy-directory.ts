/**
 * The proxy's own directory at the top of a volume, with mode 0700, where no tenant is: records of jobs,
 * reservations and events, probe files, and what a backend tries out. Every volume has or gets one.
 */
export const PROXY_DIRECTORY = '.storage-proxy';
