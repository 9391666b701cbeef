/** A line of projects(5), `42:/mnt/vol1/directory`. */
export interface DirectoryLine {
  readonly projectId: number;
  readonly directory: string;
}

/** A line of projid(5), `name:42`. */
interface NameLine {
  readonly name: string;
  readonly projectId: number;
}

/**
 * The text of one of the two files line by line: what the tools understand, and everything else, comments and
 * blank lines, as it stands.
 */
abstract class ProjectFile<Line extends { readonly projectId: number }> {
  readonly #lines: { text: string; line: Line | null }[];

  constructor(text: string) {
    const lines = text.split('\n');
    // A file ends with a newline, which begins no line of its own.
    if (lines.at(-1) === '') lines.pop();
    this.#lines = lines.map((line) => ({ text: line, line: this.parse(line) }));
  }

  get lines(): Line[] {
    return this.#lines.flatMap(({ line }) => line ?? []);
  }

  get projectIds(): number[] {
    return this.lines.map(({ projectId }) => projectId);
  }

  add(line: Line): void {
    this.#lines.push({ text: this.format(line), line });
  }

  /** Removes the lines that match exactly; comments never do. */
  remove(matches: (line: Line) => boolean): void {
    const kept = this.#lines.filter(({ line }) => line === null || !matches(line));
    this.#lines.splice(0, this.#lines.length, ...kept);
  }

  toString(): string {
    return this.#lines.map(({ text }) => `${text}\n`).join('');
  }

  protected abstract parse(text: string): Line | null;
  protected abstract format(line: Line): string;
}

/** Which directory belongs to which project. Paths are as the tools take them: latin1 keeps their bytes. */
export class ProjectsFile extends ProjectFile<DirectoryLine> {
  protected parse(text: string): DirectoryLine | null {
    const [, id, directory] = /^\s*(\d+):(\/.*)$/.exec(text) ?? [];
    return id && directory ? { projectId: Number(id), directory } : null;
  }

  protected format({ projectId, directory }: DirectoryLine): string {
    return `${projectId}:${directory}`;
  }
}

/** Which name belongs to which project. */
export class ProjidFile extends ProjectFile<NameLine> {
  protected parse(text: string): NameLine | null {
    const [, name, id] = /^\s*([^#:\s][^:]*):(\d+)\s*$/.exec(text) ?? [];
    return name && id ? { name, projectId: Number(id) } : null;
  }

  protected format({ name, projectId }: NameLine): string {
    return `${name}:${projectId}`;
  }
}
