import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** What one program does wrong. */
export interface ToolQuirks {
  /** Dies of SIGSEGV, or ends with status 3, when so many entries were dealt with. */
  readonly crashAfter?: number;
  readonly failAfter?: number;
  /** Does nothing for ever. */
  readonly hang?: boolean;
  /** Starts a process that holds its output open, and writes its id to this file. */
  readonly child?: string;
  /** Printed behind the output. */
  readonly garbage?: string;
}

export interface Quirks {
  /** The format bits of `filetype` as a number, or as octal digits written as a decimal number. */
  readonly filetype?: 'number' | 'octal';
  readonly names?: 'replace' | 'raw';
  /** Something on standard error although all is well. */
  readonly noise?: boolean;
  /** Leaves out names that begin with a dot, as ls does. */
  readonly hidesDots?: boolean;
  /** Goes through every link that it meets. */
  readonly followsLinks?: boolean;
  readonly pls?: ToolQuirks;
  readonly pdu?: ToolQuirks;
  readonly prm?: ToolQuirks;
  readonly pcp?: ToolQuirks;
  readonly pcopy?: ToolQuirks;
}

const SOURCES = ['stand-in.mjs', 'listing.mjs', 'paths.mjs'];

/** A toolkit in a folder of its own, as its packages install one. */
export class InstalledToolkit {
  readonly directory = fs.mkdtempSync(path.join(os.tmpdir(), 'rapidfile-'));

  constructor(
    readonly major: 1 | 2,
    quirks: Quirks = {},
  ) {
    const here = path.resolve('test/support/rapidfile');
    for (const source of SOURCES) {
      fs.copyFileSync(path.join(here, source), path.join(this.directory, source));
    }
    this.change(quirks);
  }

  /** From now on it has these quirks. */
  change(quirks: Quirks): void {
    const settings = JSON.stringify({ major: this.major, quirks });
    for (const tool of ['pls', 'pdu', 'prm', this.major === 1 ? 'pcp' : 'pcopy']) {
      this.program(
        tool,
        // Confined programs cannot read OpenSSL's settings, without which Node.js does not start.
        `#!${process.execPath} --openssl-config=/dev/null\nimport('${this.directory}/stand-in.mjs').then(({ main }) => main('${tool}', ${settings}));\n`,
      );
    }
  }

  /** Puts a program there. */
  program(name: string, content: string): void {
    const file = path.join(this.directory, name);
    // A program that runs cannot be written to; a new one can take its name.
    fs.writeFileSync(`${file}.new`, content, { mode: 0o755 });
    fs.renameSync(`${file}.new`, file);
  }

  remove(): void {
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
}
