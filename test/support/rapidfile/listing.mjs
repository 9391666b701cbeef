import fs from 'node:fs';
import { join } from './paths.mjs';

/**
 * `pls --json DIR` (1) and `pls --jsonlines DIR` (2): one JSON object a line, not recursive, `path` as given and the name
 * [that integration]. How names that are no UTF-8, or hold a line break, come out is not known: `names` chooses.
 */
export function list(paths, { major, quirks, progress }) {
  for (const path of paths) {
    const directory = Buffer.from(path);
    for (const name of fs.readdirSync(directory, { encoding: 'buffer' })) {
      if (quirks.hidesDots && name[0] === 0x2e) continue;
      progress();
      const stat = fs.lstatSync(join(directory, name));
      const record = {
        size: stat.size,
        uid: stat.uid,
        // v1: the octal digits as a decimal number, 644 for 0o644; v2: the number itself.
        mode: major === 1 ? Number((stat.mode & 0o7777).toString(8)) : stat.mode & 0o7777,
        mtime: Math.floor(stat.mtimeMs / 1000),
        ctime: Math.floor(stat.ctimeMs / 1000),
        filetype: filetype(stat.mode, quirks.filetype),
      };
      const rest = JSON.stringify(record).slice(1);
      const line = [
        Buffer.from('{"path":'),
        text(join(directory, name), quirks.names),
        Buffer.from(`,${rest}\n`),
      ];
      fs.writeSync(1, Buffer.concat(line));
    }
  }
}

/** 16384 for a directory; the same integration first had 40000, and corrected it after it had logged real output. */
function filetype(mode, coding) {
  const format = mode & 0o170000;
  return coding === 'octal' ? Number(format.toString(8)) : format;
}

/** `replace`: JSON of what UTF-8 makes of it; `raw`: bytes between quotes, nothing escaped but quotes and backslashes. */
function text(path, how) {
  if (how !== 'raw') return Buffer.from(JSON.stringify(path.toString('utf8')));
  const escaped = path.toString('latin1').replace(/[\\"]/g, '\\$&');
  return Buffer.from(`"${escaped}"`, 'latin1');
}
