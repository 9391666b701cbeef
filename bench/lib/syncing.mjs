import { existsSync } from 'node:fs';

/** Debian's libeatmydata1, which makes every sync of a process return at once; undefined where it is missing. */
export const EATMYDATA = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/libeatmydata.so`)
  .find((path) => existsSync(path));
