import { isInstalled, run } from './programs.js';

/** What is in an archive, by Python's zipfile, which also checks every CRC. Names as text, sizes in bytes. */
export function listArchive(file: string): [name: string, size: number][] {
  const script =
    'import sys, zipfile, json\n' +
    'z = zipfile.ZipFile(sys.argv[1])\n' +
    'assert z.testzip() is None\n' +
    'print(json.dumps([[i.filename, i.file_size] for i in z.infolist()]))';
  return JSON.parse(run('python3', '-c', script, file).toString()) as [string, number][];
}

/** Has every archiver of this machine read all of an archive. Throws with its words when one refuses. */
export function checkArchive(file: string): void {
  const checkers: [string, string[]][] = [
    ['unzip', ['-tqq', file]],
    ['7z', ['t', file]],
    ['python3', ['-m', 'zipfile', '-t', file]],
  ];
  for (const [program, args] of checkers) {
    if (isInstalled(program)) run(program, ...args);
    else process.stderr.write(`SKIPPED: ${program} is not installed and checks no archive\n`);
  }
}
