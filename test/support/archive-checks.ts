import { isInstalled, run } from './programs.js';

/** What Python's zipfile finds in the directory of an archive. Names as text, sizes in bytes. */
export function listArchive(file: string): [name: string, size: number][] {
  const script =
    'import sys, zipfile, json\n' +
    'z = zipfile.ZipFile(sys.argv[1])\n' +
    'print(json.dumps([[i.filename, i.file_size] for i in z.infolist()]))';
  return JSON.parse(run('python3', '-c', script, file).toString()) as [string, number][];
}

const CHECKERS: Readonly<Record<string, readonly string[]>> = {
  unzip: ['-tqq'],
  '7z': ['t'],
  python3: ['-m', 'zipfile', '-t'],
};

/** Has archivers of this machine, all by default, read all of an archive. Throws with its words when one refuses. */
export function checkArchive(file: string, programs = Object.keys(CHECKERS)): void {
  for (const program of programs) {
    if (isInstalled(program)) run(program, ...CHECKERS[program]!, file);
    else process.stderr.write(`SKIPPED: ${program} is not installed and checks no archive\n`);
  }
}
