import { BadRequestException, NotFoundException } from '@nestjs/common';
import { fromSystemError } from '../errors/from-system-error.js';
import { StorageError, type ErrorDetails } from '../errors/storage-error.js';
import type { ErrorCode } from '../errors/error-code.js';
import { OPERATIONS, operationSpec, type Operation } from './operations.js';
import { exampleProblem } from './problem-examples.js';
import { allProblemRows } from './problem-table.js';
import { toProblem } from './problem.js';

/** The only words that managers can parse, protocol section 5.3. */
const DOMAINS =
  'storage-proxy storage vfolder quota-scope object-storage vfs-storage artifact artifact-registry api auth bgtask backendai';
const VERBS =
  'generic create access read update start soft-delete purge list-query auth hook request parsing execute schedule setup grant check-limit';
const DETAILS =
  'bad-request not-found gone conflict already-exists invalid-parameters data-expired forbidden unauthorized incomplete-user-profile not-ready invalid-data-format internal-error unavailable unreachable task-timeout canceled not-implemented deprecated mismatch timeout content-type-mismatch';

const problem = (
  operation: Operation | undefined,
  code: ErrorCode,
  details: ErrorDetails = {},
  message = 'm',
) => toProblem(new StorageError(code, message, details), { operation });

const enoent = Object.assign(new Error('x'), { errno: -2 });

describe('the error table', () => {
  it.each([...allProblemRows()])(
    '%s %s is made of words that managers know',
    (_scope, _key, row) => {
      const [domain, verb, detail, ...rest] = row.errorCode.replace('{verb}', 'read').split('_');
      expect(rest).toEqual([]);
      expect(DOMAINS.split(' ')).toContain(domain);
      expect(VERBS.split(' ')).toContain(verb);
      expect(DETAILS.split(' ')).toContain(detail);
    },
  );

  it('speaks to users through domain vfolder and 400, 404, 410 only, as far as files go', () => {
    const fileRows = [...allProblemRows()].filter(([, , row]) => row.shape === 'fs');
    for (const [, , row] of fileRows) {
      expect(row.errorCode).toMatch(/^vfolder_/);
      expect([400, 404]).toContain(row.status);
    }
  });

  it.each(Object.keys(OPERATIONS) as Operation[])('%s has complete answers', (operation) => {
    for (const key of operationSpec(operation).fails) {
      const { status, body } = exampleProblem(key, operation, 'volume');
      expect(status).toBeGreaterThanOrEqual(400);
      expect(body).toMatchObject({
        type: expect.stringMatching(/^https:\/\/api\.backend\.ai\/probs\//) as string,
        title: expect.any(String) as string,
        msg: expect.any(String) as string,
        error_code: expect.stringMatching(/^[a-z-]+_[a-z-]+_[a-z-]+$/) as string,
      });
    }
  });
});

describe('toProblem', () => {
  const cases: [Operation, ErrorCode, ErrorDetails, number, string][] = [
    ['folder.usage', 'NOT_FOUND', { subject: 'volume' }, 400, 'storage_access_invalid-parameters'],
    ['folder.usage', 'NOT_FOUND', { subject: 'vfolder' }, 404, 'vfolder_read_not-found'],
    ['folder.mount', 'NOT_FOUND', { subject: 'vfolder' }, 400, 'vfolder_read_not-found'],
    [
      'quota-scope.read',
      'NOT_FOUND',
      { subject: 'quota-scope' },
      404,
      'quota-scope_read_not-found',
    ],
    ['file.rename', 'NOT_FOUND', { subject: 'entry' }, 400, 'vfolder_update_not-found'],
    ['file.fetch', 'NOT_FOUND', { subject: 'entry' }, 404, 'vfolder_read_not-found'],
    ['download', 'NOT_FOUND', { subject: 'entry' }, 404, 'vfolder_read_not-found'],
    [
      'file.delete',
      'IS_A_DIRECTORY',
      { subject: 'entry' },
      400,
      'vfolder_purge_invalid-parameters',
    ],
    ['folder.create', 'NOT_EMPTY', { subject: 'vfolder' }, 409, 'vfolder_create_already-exists'],
    ['download', 'TOKEN_EXPIRED', { subject: 'token' }, 400, 'vfolder_request_invalid-parameters'],
    [
      'upload.patch',
      'TOKEN_EXPIRED',
      { subject: 'token' },
      400,
      'vfolder_request_invalid-parameters',
    ],
    ['download-archive', 'TOKEN_EXPIRED', { subject: 'token' }, 401, 'auth_auth_data-expired'],
    [
      'download-archive',
      'UNAUTHENTICATED',
      { subject: 'token', reason: 'token-undecodable' },
      400,
      'auth_auth_bad-request',
    ],
    [
      'download-archive',
      'UNAUTHENTICATED',
      { subject: 'token', reason: 'token-signature' },
      401,
      'auth_auth_unauthorized',
    ],
    [
      'file.upload',
      'QUOTA_EXCEEDED',
      { subject: 'quota-scope' },
      400,
      'vfolder_check-limit_forbidden',
    ],
    ['upload.patch', 'QUOTA_EXCEEDED', { subject: 'entry' }, 507, 'vfolder_check-limit_forbidden'],
    [
      'upload.patch',
      'TOO_LARGE',
      { subject: 'upload' },
      413,
      'storage-proxy_request_invalid-parameters',
    ],
    [
      'file.upload',
      'TOO_LARGE',
      { subject: 'upload' },
      400,
      'vfolder_check-limit_invalid-parameters',
    ],
    [
      'file.delete-async',
      'INVALID_ARGUMENT',
      { subject: 'request' },
      400,
      'api_parsing_invalid-parameters',
    ],
    ['volume.hwinfo', 'UNAVAILABLE', { subject: 'volume' }, 503, 'storage_access_unavailable'],
  ];
  it.each(cases)('%s: %s %o is %d %s', (operation, code, details, status, errorCode) => {
    const { status: actual, body } = problem(operation, code, details);
    expect([actual, body.error_code]).toEqual([status, errorCode]);
  });

  it('gives failed system calls the shape that managers show, without host paths', () => {
    const error = fromSystemError(enoent, { paths: ['a/b'] });
    const { headers, body } = toProblem(error, { operation: 'file.list' });
    expect(headers['content-type']).toBe('application/json; charset=utf-8');
    expect(body).toMatchObject({ msg: 'No such file or directory', errno: 2, paths: ['a/b'] });
    const unknown = problem('file.move', 'NOT_FOUND', { subject: 'entry' });
    expect(unknown.body).toMatchObject({ errno: null, paths: [] });
  });

  it('keeps the sentences that clients know', () => {
    expect(
      problem('quota-scope.create', 'ALREADY_EXISTS', { subject: 'quota-scope' }).body.msg,
    ).toBe('Volume already exists with given quota scope.');
    const outside: ErrorDetails = { subject: 'entry', vfid: 'V', paths: ['../x'] };
    expect(problem('file.list', 'OUTSIDE_VFOLDER', outside).body).toMatchObject({
      msg: 'Invalid Subpath (vfid=V, relpath=../x)',
      data: 'Invalid Subpath (vfid=V, relpath=../x)',
    });
    const mount: ErrorDetails = { subject: 'entry', vfid: 'V', subpath: '../x' };
    expect(problem('folder.mount', 'OUTSIDE_VFOLDER', mount).body).toEqual({
      type: 'https://api.backend.ai/probs/storage/subpath/invalid',
      title: 'Invalid Subpath',
      error_code: 'vfolder_access_invalid-parameters',
      msg: 'Invalid vfolder subpath',
      vfid: 'V',
      subpath: '../x',
    });
  });

  it('says when to come back', () => {
    expect(problem(undefined, 'UNAVAILABLE', { subject: 'volume' }).headers['retry-after']).toBe(
      '5',
    );
    expect(
      problem(undefined, 'UNAVAILABLE', { retryAfterSeconds: 0.2 }).headers['retry-after'],
    ).toBe('1');
  });

  it('carries the headers of an error', () => {
    const headers = { 'content-range': 'bytes */3' };
    expect(problem('download', 'RANGE_NOT_SATISFIABLE', { headers }).headers).toMatchObject(
      headers,
    );
  });

  it('maps what the framework throws', () => {
    expect(toProblem(new NotFoundException()).body.error_code).toBe('api_generic_not-found');
    expect(toProblem(new BadRequestException('odd')).body).toMatchObject({
      msg: 'odd',
      error_code: 'vfolder_request_invalid-parameters',
    });
    const tooLarge = Object.assign(new Error('x'), { statusCode: 413, code: 'FST_ERR_CTP' });
    expect(toProblem(tooLarge).status).toBe(413);
  });

  it('says nothing about what nobody foresaw', () => {
    const { status, body } = toProblem(new Error('/mnt/secret'), { requestId: 'r' });
    expect([status, body.msg]).toEqual([500, 'Internal error (request r)']);
    expect(toProblem('not even an error').status).toBe(500);
    expect(toProblem(undefined).status).toBe(500);
  });
});
