import type { HostPort } from '../grammar/host-port.js';
import { formatHostPort } from '../grammar/host-port.js';
import type { Settings } from '../config/settings.js';

const AUTH_HEADER = 'X-BackendAI-Storage-Auth-Token';

/** What somebody who has just started the playground wants to know. Names the secret's file, never the secret. */
export function devBanner(settings: Settings, secretFile: string, version: string): string {
  const { api, clientPlane, managerPlane } = settings;
  const client = baseUrl(api.client, clientPlane.basePath);
  const manager = baseUrl(api.manager, managerPlane.basePath);
  const internal = `http://${formatHostPort(reachable(api.manager.internalAddr))}`;
  return [
    '',
    `  Storage Proxy ${version}, development mode`,
    '',
    `  Client plane    ${client}${docsHint(client, clientPlane.docs)}`,
    `  Manager plane   ${manager}${docsHint(manager, managerPlane.docs)}`,
    `  Internal        ${internal}   metrics: ${internal}/metrics   health: ${internal}/health`,
    '',
    '  Try it:',
    `  curl -H "${AUTH_HEADER}: $(cat ${secretFile})" ${manager}/volumes`,
    '',
  ].join('\n');
}

function baseUrl(
  { serviceAddr, sslEnabled }: { readonly serviceAddr: HostPort; readonly sslEnabled: boolean },
  basePath: string,
): string {
  const scheme = sslEnabled ? 'https' : 'http';
  return `${scheme}://${formatHostPort(reachable(serviceAddr))}${basePath}`;
}

/** An address that listens everywhere is reached on loopback. */
function reachable({ host, port }: HostPort): HostPort {
  const everywhere = host === '' || host === '0.0.0.0' || host === '::';
  return { host: everywhere ? '127.0.0.1' : host, port };
}

function docsHint(url: string, docs: boolean): string {
  return docs ? `   Swagger UI: ${url}/docs` : '';
}
