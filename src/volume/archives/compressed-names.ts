/** Extensions of formats that are compressed already; a guess that only saves time. */
const EXTENSIONS: ReadonlySet<string> = new Set(
  (
    '7z aac apk avif br bz2 cab deb docx epub flac gif gz heic jar jpeg jpg lz4 lzma m4a m4v mkv mov ' +
    'mp3 mp4 npz ogg opus parquet png pptx rar rpm tbz2 tgz txz webm webp whl woff woff2 xlsx xz zip zst'
  ).split(' '),
);

/** Whether a file of this name is hardly worth compressing. */
export function isCompressedName(name: Buffer): boolean {
  const dot = name.lastIndexOf(0x2e);
  return dot >= 0 && EXTENSIONS.has(name.toString('latin1', dot + 1).toLowerCase());
}
