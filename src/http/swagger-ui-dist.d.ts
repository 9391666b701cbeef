/** The package has no types. Its main module would load the whole UI into the server; this one does not. */
declare module 'swagger-ui-dist/absolute-path.js' {
  /** Directory with the built assets. */
  export default function absolutePath(): string;
}
