import type { PureStorageOptions } from './purestorage.options.js';

/** A tunnel that ends on this host is as good as TLS. */
const THIS_HOST = /^(localhost|127\.[\d.]+|\[::1\])$/;

/** How others on the network could get at the API token. */
export function endpointWarnings(
  volume: string,
  { endpoint, verifyTls }: Pick<PureStorageOptions, 'endpoint' | 'verifyTls'>,
): string[] {
  const { protocol, hostname } = new URL(endpoint);
  if (THIS_HOST.test(hostname)) return [];
  if (protocol === 'http:') {
    return [
      `Volume "${volume}": the API token goes over the network in clear text. Give purity_endpoint with https`,
    ];
  }
  if (verifyTls) return [];
  return [
    `Volume "${volume}": the certificate of the array is not verified, so whoever is on the way can read the API token. Name its authority with purity_ca_file, and leave out purity_ssl_verify = false`,
  ];
}
