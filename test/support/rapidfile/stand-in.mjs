/**
 * Programs with the names, options and output of the RapidFile Toolkit 1 and 2, as public integrations call and parse
 * them (backend sheet, section 3.8: an open-source storage proxy for both major versions; a public demo of 2.1). They act
 * on real files, by plain paths and without any care for links that change meanwhile: whatever is safe with them is
 * made so by whoever starts them.
 */
import fs from 'node:fs';
import { join } from './paths.mjs';
import { list } from './listing.mjs';

/** lstat(2), or stat(2) for programs that are led astray: what losing every race against a tenant comes to. */
let look = fs.lstatSync;
let hidesDots = false;
const ZEROES = Buffer.alloc(4 << 20);
const FORMATS = { 1: '--json', 2: '--jsonlines' };

/**
 * @param {string} tool
 * @param {{ major: 1 | 2, quirks: Record<string, unknown> }} toolkit
 */
export function main(tool, { major, quirks }) {
  const { options, paths } = parseArguments(process.argv.slice(2));
  const trouble = quirks[tool] ?? {};
  if (options.has('--version')) return printVersion(tool, major);
  if (quirks.followsLinks) look = fs.statSync;
  hidesDots = quirks.hidesDots === true;
  if (quirks.noise) process.stderr.write(`${tool}: warning: rpc retransmit\n`);
  if (trouble.hang) return hang();
  if (trouble.child) spawnChild(trouble.child);
  const progress = countdown(tool, trouble);
  try {
    progress();
    if (tool === 'pls') list(expect(options, FORMATS[major], paths), { major, quirks, progress });
    else if (tool === 'pdu') usage(paths, options, major, progress);
    else if (tool === 'prm') remove(paths, progress);
    else copy(paths, options, major, progress);
    if (trouble.garbage) fs.writeSync(1, String(trouble.garbage));
  } catch (error) {
    if (error.code === 'EPIPE') process.exit(141);
    process.stderr.write(`${tool}: ${error.message}\n`);
    process.exitCode = 1;
  }
}

function parseArguments(words) {
  const end = words.indexOf('--');
  const before = end < 0 ? words : words.slice(0, end);
  const options = new Set(before.filter((word) => word.startsWith('-')));
  const paths = [
    ...before.filter((word) => !word.startsWith('-')),
    ...(end < 0 ? [] : words.slice(end + 1)),
  ];
  return { options, paths };
}

function expect(options, option, paths) {
  if (!options.has(option)) throw new Error(`unrecognized option, expected ${option}`);
  return paths;
}

/** v1: name, `(RapidFile Toolkit)`, 1.…; v2: `version`, name, `(RapidFile)`, 2.… [matched by that integration]. */
function printVersion(tool, major) {
  const line =
    major === 1 ? `${tool} (RapidFile Toolkit) 1.0.0-beta.5` : `version ${tool} (RapidFile) 2.1.1`;
  process.stdout.write(`${line}\nCopyright (c) the vendor\n`);
}

/** Fails when so many entries were dealt with: `crashAfter` with a signal, `failAfter` with a status. */
function countdown(tool, { crashAfter, failAfter }) {
  let left = crashAfter ?? failAfter ?? Infinity;
  return () => {
    if (left-- > 0) return;
    if (crashAfter !== undefined) process.kill(process.pid, 'SIGSEGV');
    process.stderr.write(`${tool}: internal error 17\n`);
    process.exit(3);
  };
}

function hang() {
  setInterval(() => undefined, 1 << 30);
}

/** A helper process that outlives its parent, as a crashed program leaves it. */
function spawnChild(pidFile) {
  const child = globalThis.process.getBuiltinModule('node:child_process').spawn('sleep', ['1000'], {
    stdio: 'inherit',
  });
  fs.writeFileSync(pidFile, String(child.pid));
}

/** `SIZE<tab>PATH<NUL>`, directories after what they contain and including it, as du's -0 -b -a. */
function usage(paths, options, major, progress) {
  for (const option of ['-0', '-b', '-a']) expect(options, option);
  // Toolkit 2 had to be called without -s beside -a [that integration]; GNU du refuses the pair, too.
  if (major === 2 && options.has('-s'))
    throw new Error('cannot both summarize and show all entries');
  for (const path of paths) measure(Buffer.from(path), progress);
}

function measure(path, progress) {
  progress();
  const stat = look(path);
  let bytes = stat.size;
  if (stat.isDirectory())
    for (const name of names(path)) bytes += measure(join(path, name), progress);
  fs.writeSync(1, Buffer.concat([Buffer.from(`${bytes}\t`), path, Buffer.from([0])]));
  return bytes;
}

function remove(paths, progress) {
  for (const path of paths) removeTree(Buffer.from(path), progress);
}

function removeTree(path, progress) {
  progress();
  if (!look(path).isDirectory()) return fs.unlinkSync(path);
  for (const name of names(path)) removeTree(join(path, name), progress);
  fs.rmdirSync(path);
}

/** v1: `SRC/.` copies the content into DST; v2: -T means DST itself, as for GNU cp. */
function copy([from, to], options, major, progress) {
  for (const option of ['-r', '-p']) expect(options, option);
  if (major === 2 && options.has('-T') !== fs.existsSync(to))
    throw new Error('-T wanted for a directory that exists');
  if (major === 1 && options.has('-T')) throw new Error('invalid option -- T');
  copyTree(Buffer.from(from), Buffer.from(to), progress);
}

function copyTree(from, to, progress) {
  progress();
  const stat = look(from);
  if (stat.isSymbolicLink()) return copyLink(from, to, stat);
  if (stat.isDirectory()) {
    if (!fs.existsSync(to)) fs.mkdirSync(to, { mode: 0o700 });
    for (const name of names(from)) copyTree(join(from, name), join(to, name), progress);
  } else if (stat.isFile()) {
    copyContent(from, to, stat);
  } else {
    throw new Error('cannot copy a special file');
  }
  // Those of directories by name, as GNU cp does.
  if (!stat.isDirectory()) return;
  fs.chownSync(to, stat.uid, stat.gid);
  fs.chmodSync(to, stat.mode & 0o7777);
  setTimes(fs.utimesSync, to, stat);
}

function copyLink(from, to, stat) {
  fs.symlinkSync(fs.readlinkSync(from, { encoding: 'buffer' }), to);
  setTimes(fs.lutimesSync, to, stat);
}

/** To the microsecond, which a double carries; what needs more is not kept. */
function setTimes(set, path, { atimeMs, mtimeMs }) {
  set(path, atimeMs / 1000, mtimeMs / 1000);
}

function copyContent(from, to, stat) {
  const { size, blocks } = stat;
  const isSparse = blocks * 512 < size;
  const input = fs.openSync(from, 'r');
  const output = fs.openSync(to, 'w', 0o600);
  const buffer = Buffer.alloc(4 << 20);
  for (
    let at = 0, length;
    (length = fs.readSync(input, buffer, 0, buffer.length, at)) > 0;
    at += length
  ) {
    const chunk = buffer.subarray(0, length);
    if (!isSparse || !chunk.equals(ZEROES.subarray(0, length)))
      fs.writeSync(output, chunk, 0, length, at);
  }
  if (isSparse) fs.ftruncateSync(output, size);
  fs.fchownSync(output, stat.uid, stat.gid);
  fs.fchmodSync(output, stat.mode & 0o7777);
  setTimes(fs.futimesSync, output, stat);
  fs.closeSync(input);
  fs.closeSync(output);
}

function names(path) {
  const all = fs.readdirSync(path, { encoding: 'buffer' });
  return hidesDots ? all.filter((name) => name[0] !== 0x2e) : all;
}
