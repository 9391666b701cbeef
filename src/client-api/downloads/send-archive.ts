import type { FastifyReply } from 'fastify';
import type { ArchiveDownload } from '../../volume/archives/archive-download.js';
import { reportTransfer } from './transfer-report.js';

/** Answers with an archive; for HEAD with its headers. */
export async function sendArchive(
  reply: FastifyReply,
  archive: ArchiveDownload,
  method: 'GET' | 'HEAD',
): Promise<void> {
  reply.hijack();
  reply.raw.writeHead(200, { ...archive.headers });
  if (method === 'HEAD') reply.raw.end();
  else reportTransfer(reply.request.storageContext, 'archive', await archive.send(reply.raw));
}
