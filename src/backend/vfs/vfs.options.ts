/** `[volume.<name>.options]` of a vfs volume: there are none (protocol section 6.2). */
export class VfsOptions {}
