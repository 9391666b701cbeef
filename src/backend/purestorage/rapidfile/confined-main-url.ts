/** The launcher's entry in the built product. In a file of its own: `import.meta` is not for unit specs. */
export const CONFINED_MAIN_URL = new URL('./confined-main.js', import.meta.url);
