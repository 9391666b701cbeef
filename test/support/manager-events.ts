import { randomUUID } from 'node:crypto';
import type { Redis } from 'iovalkey';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeMsgpack } from './msgpack.js';
import type { ValkeyServer } from './valkey-server.js';

const STREAM = 'events';
const GROUP = 'manager';
const DATABASE = 4;
const PATIENCE_MS = 60_000;

/** An event as it went over the wire, with both of its encodings decoded. */
export interface ReceivedEvent {
  readonly name: string;
  readonly source: string;
  /** What later managers read. */
  readonly payload: Record<string, unknown>;
  /** What managers up to 26.8 read. */
  readonly args: unknown;
  /** Every field as it was, by name, in order. */
  readonly fields: ReadonlyMap<string, Buffer>;
}

/** Listens to events as a manager does: a consumer group on the stream, which begins where it is made. */
export class ManagerEvents {
  readonly received: ReceivedEvent[] = [];
  readonly #consumer = randomUUID();
  readonly #client: Redis;
  #stopped = false;
  #reading: Promise<void> | undefined;

  constructor(server: ValkeyServer) {
    this.#client = server.client(DATABASE).duplicate();
    this.#client.on('error', () => undefined);
  }

  /** Joins the group, making it when it is not there, and reads from now on. */
  async start(): Promise<this> {
    await this.join();
    this.#reading = this.read();
    return this;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    // What waits for a connection would wait for ever.
    this.#client.options.retryStrategy = () => null;
    this.#client.disconnect();
    await this.#reading;
  }

  /** The events that tell of a vfolder or a job, by a text that is in them. */
  about(text: string): ReceivedEvent[] {
    return this.received.filter(({ fields }) => fields.get('payload')?.includes(text));
  }

  /** Resolves when `count` events about something have come. */
  async until(text: string, count = 1, patienceMs = PATIENCE_MS): Promise<ReceivedEvent[]> {
    const deadline = Date.now() + patienceMs;
    while (this.about(text).length < count) {
      if (Date.now() > deadline) throw new Error(`no event about ${text}`);
      await sleep(20);
    }
    return this.about(text);
  }

  private async join(): Promise<void> {
    try {
      await this.#client.xgroup('CREATE', STREAM, GROUP, '$', 'MKSTREAM');
    } catch (error) {
      if (!String(error).includes('BUSYGROUP')) throw error;
    }
  }

  private async read(): Promise<void> {
    while (!this.#stopped) {
      try {
        const streams = (await this.#client.callBuffer(
          'XREADGROUP',
          ...`GROUP ${GROUP} ${this.#consumer} COUNT 10 BLOCK 500 STREAMS ${STREAM} >`.split(' '),
        )) as [Buffer, [Buffer, Buffer[]][]][] | null;
        for (const [id, fields] of streams?.[0]?.[1] ?? []) {
          this.received.push(receivedEvent(fields));
          await this.#client.xack(STREAM, GROUP, id.toString());
        }
      } catch (error) {
        if (this.#stopped) return;
        if (String(error).includes('NOGROUP')) await this.join().catch(() => undefined);
        await sleep(50);
      }
    }
  }
}

/** Everything that is in the stream, whoever has read it. */
export async function streamEntries(server: ValkeyServer): Promise<ReceivedEvent[]> {
  const entries = await server.client(DATABASE).xrangeBuffer(STREAM, '-', '+');
  return entries.map(([, fields]) => receivedEvent(fields));
}

/** A broadcast, or the cached form of one. */
export function receivedBroadcast(text: string): ReceivedEvent {
  const members = JSON.parse(text) as Record<string, string>;
  const fields = Object.entries(members).map(([name, value]): [string, Buffer] => [
    name,
    name === 'args' ? Buffer.from(value, 'base64') : Buffer.from(value),
  ]);
  return receivedEvent(fields.flatMap(([name, value]) => [Buffer.from(name), value]));
}

function receivedEvent(flat: readonly Buffer[]): ReceivedEvent {
  const fields = new Map<string, Buffer>();
  for (let at = 0; at + 1 < flat.length; at += 2) fields.set(flat[at]!.toString(), flat[at + 1]!);
  const text = (name: string): string => fields.get(name)?.toString() ?? '';
  return {
    name: text('name'),
    source: text('source'),
    payload: JSON.parse(text('payload')) as Record<string, unknown>,
    args: decodeMsgpack(fields.get('args') ?? Buffer.alloc(0)),
    fields,
  };
}
