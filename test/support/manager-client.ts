import { Agent, request, type OutgoingHttpHeaders } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerTo, type Answer } from './http.js';

export const AUTH_HEADER = 'X-BackendAI-Storage-Auth-Token';
/** Managers keep idle connections this long. */
const KEEP_ALIVE_MS = 15_000;
const JOB_PATIENCE_MS = 20_000;
const JOB_ENDS = ['done', 'failed', 'cancelled'];

/** A job as `GET /jobs/{id}` shows it. */
export interface ShownJob {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly vfid: string;
  readonly error: { readonly code: string; readonly message: string } | null;
}

/**
 * Talks to the manager plane as managers do: the secret in a header, a JSON body whatever the method, and
 * connections that are kept and used again.
 */
export class ManagerClient {
  readonly #agent = new Agent({ keepAlive: true, timeout: KEEP_ALIVE_MS });

  constructor(
    readonly origin: string,
    private readonly secret: string,
  ) {}

  /** `body` goes out as JSON; without one, the request has none. */
  call(method: string, path: string, body?: unknown): Promise<Answer> {
    const json = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    return this.send(method, path, json, { 'content-type': 'application/json' });
  }

  /** Bytes as they are, with the headers given and the secret. */
  send(
    method: string,
    path: string,
    body?: Buffer,
    headers: OutgoingHttpHeaders = {},
  ): Promise<Answer> {
    const outgoing = request(`${this.origin}${path}`, {
      method,
      agent: this.#agent,
      headers: {
        [AUTH_HEADER]: this.secret,
        ...(body && { 'content-length': body.length }),
        ...headers,
      },
    });
    const answer = answerTo(outgoing);
    outgoing.end(body);
    return answer;
  }

  /** Calls, and fails unless the status is the one that was meant to prepare a test. */
  async expecting(status: number, method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await this.call(method, path, body);
    if (answer.status === status) return answer;
    throw new Error(`${method} ${path}: ${answer.status} instead of ${status}: ${answer.text}`);
  }

  /** The end of a job, by the id that an answer had. */
  async jobEnd({ json }: Pick<Answer, 'json'>): Promise<ShownJob> {
    const deadline = Date.now() + JOB_PATIENCE_MS;
    for (;;) {
      const answer = await this.expecting(200, 'GET', `/jobs/${String(json['bgtask_id'])}`);
      const job = answer.json as unknown as ShownJob;
      if (JOB_ENDS.includes(job.state)) return job;
      if (Date.now() > deadline) throw new Error(`job does not end: ${answer.text}`);
      await sleep(20);
    }
  }

  close(): void {
    this.#agent.destroy();
  }
}
