import type { INestApplication } from '@nestjs/common';
import type { OpenAPIObject } from '@nestjs/swagger';
import { buildOpenApi, type OpenApiOptions } from '../http/openapi.js';

export const PLANE_TITLES = {
  client: 'Storage Proxy: client plane',
  manager: 'Storage Proxy: manager plane',
} as const;

const ERRORS = `Every error is \`application/problem+json\` with \`type\`, \`title\`, \`msg\` and \`error_code\`
(the same members under \`application/json\` where managers expect that type). Programs act on the status and
\`error_code\`, people read \`msg\`. Beyond what each operation lists, a path that does not exist answers 404, a
method that a path does not have 405 with \`Allow\`. Every answer carries \`X-Request-ID\`, which the log lines of
the request have too.`;

const DOCUMENTS: Readonly<
  Record<'client' | 'manager', Pick<OpenApiOptions, 'description' | 'tags'>>
> = {
  client: {
    description: `Uploads and downloads for those who hold a token: SDKs, browsers, \`curl\`. A manager issues the
tokens through the manager plane; a token names one file or folder, expires, and is all the authentication there
is, so treat it as a password. Pages of any origin may call this plane: errors carry CORS headers as well.

${ERRORS}`,
    tags: {
      uploads:
        'Resumable uploads: [tus 1.0](https://tus.io/protocols/resumable-upload) on one URL, whose token says which upload is meant',
      downloads: 'Files, ranges of them, and archives',
      status: 'Whether the plane answers',
    },
  },
  manager: {
    description: `Volumes, quota scopes, vfolders and the files in them, for Backend.AI managers and operators.
Everything but health and status needs one of the manager secrets: press *Authorize*.

Parameters go in a JSON body or in the query, on every method and under any \`Content-Type\`; in both with
different values they are refused. Numbers and booleans may be text. A vfolder id with a scope
(\`user:<uuid>/<uuid>\`) gets the answers of current managers; a bare UUID gets those of the 20.09 to 22.09
generation, where an operation tells of two.

${ERRORS}`,
    tags: {
      volumes: 'The storage volumes and what they can do',
      'quota scopes': 'What owners of vfolders may hold',
      vfolders: 'Making, cloning, deleting and measuring vfolders',
      files: 'Entries in a vfolder',
      transfers: 'Tokens for uploads and downloads on the client plane',
      jobs: 'Deletions and clones that outlive their request',
      health: 'For supervisors and load balancers',
      status: 'Whether the plane answers',
    },
  },
};

/** The OpenAPI document of a plane. */
export function buildPlaneDocument(
  plane: 'client' | 'manager',
  app: INestApplication,
  version: string,
): OpenAPIObject {
  return buildOpenApi(app, { plane, title: PLANE_TITLES[plane], version, ...DOCUMENTS[plane] });
}
