/** DI token of the product's version, as status pages and health answers show it. */
export const PRODUCT_VERSION = Symbol('PRODUCT_VERSION');
