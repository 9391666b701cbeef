import type { INestApplication } from '@nestjs/common';
import type { OpenAPIObject } from '@nestjs/swagger';
import { buildOpenApi, type OpenApiOptions } from '../http/openapi.js';

export const PLANE_TITLES = {
  client: 'Storage Proxy: client plane',
  manager: 'Storage Proxy: manager plane',
} as const;

const DOCUMENTS: Readonly<
  Record<'client' | 'manager', Pick<OpenApiOptions, 'description' | 'tags'>>
> = {
  client: {
    description:
      'Uploads and downloads by token. A manager issues the tokens; they are all the authentication there is.',
    tags: {
      uploads: 'Resumable uploads (tus 1.0)',
      downloads: 'Files, ranges of them, and archives',
      status: 'Whether the plane answers',
    },
  },
  manager: {
    description: 'Volumes, quota scopes, vfolders and the files in them, for Backend.AI managers.',
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
