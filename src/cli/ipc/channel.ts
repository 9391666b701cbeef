import { randomUUID } from 'node:crypto';

/** What one side may send: one-way notices, and questions that the other side answers. */
export interface Speech {
  readonly notices: object;
  readonly questions: {
    readonly [name: string]: { readonly ask: unknown; readonly answer: unknown };
  };
}

/** The IPC pipe between two processes, as seen from one end. */
export interface Port {
  /** False when the other end is gone. */
  send(message: unknown): boolean;
  /** Calls `handler` for each message, until the end. */
  receive(handler: (message: unknown) => void): void;
}

type Message =
  | { readonly kind: 'notice'; readonly name: string; readonly payload: unknown }
  | {
      readonly kind: 'question';
      readonly id: string;
      readonly name: string;
      readonly payload: unknown;
    }
  | { readonly kind: 'answer'; readonly id: string; readonly payload: unknown }
  | { readonly kind: 'failure'; readonly id: string; readonly message: string };

interface Pending {
  resolve(payload: never): void;
  reject(error: Error): void;
}

/** Notices and questions over a pipe, typed by what each side says. Order is kept in each direction. */
export class Channel<Ours extends Speech, Theirs extends Speech> {
  readonly #notices = new Map<PropertyKey, (payload: never) => void>();
  readonly #questions = new Map<PropertyKey, (payload: never) => unknown>();
  readonly #pending = new Map<string, Pending>();

  constructor(private readonly port: Port) {
    port.receive((message) => this.receive(message));
  }

  /** Returns false when nobody is there to hear it. */
  tell<Name extends keyof Ours['notices']>(name: Name, payload: Ours['notices'][Name]): boolean {
    return this.port.send({ kind: 'notice', name, payload });
  }

  /** Rejects when the other side cannot answer, or not within `timeoutMs`. */
  ask<Name extends keyof Ours['questions']>(
    name: Name,
    payload: Ours['questions'][Name]['ask'],
    timeoutMs: number,
  ): Promise<Ours['questions'][Name]['answer']> {
    const id = randomUUID();
    return new Promise((resolve, reject) => {
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(timer);
          this.#pending.delete(id);
          then(value);
        };
      const fail = settle(reject);
      const timer = setTimeout(
        () => fail(new Error(`no answer within ${timeoutMs} ms`)),
        timeoutMs,
      );
      this.#pending.set(id, { resolve: settle(resolve), reject: fail });
      const sent = this.port.send({ kind: 'question', id, name, payload });
      if (!sent) fail(new Error('the other process is gone'));
    });
  }

  /** One handler a name; it must not throw. */
  onNotice<Name extends keyof Theirs['notices']>(
    name: Name,
    handler: (payload: Theirs['notices'][Name]) => void,
  ): void {
    this.#notices.set(name, handler);
  }

  /** One handler a name; what it throws becomes the asker's rejection. */
  onQuestion<Name extends keyof Theirs['questions']>(
    name: Name,
    handler: (
      payload: Theirs['questions'][Name]['ask'],
    ) => Theirs['questions'][Name]['answer'] | Promise<Theirs['questions'][Name]['answer']>,
  ): void {
    this.#questions.set(name, handler);
  }

  private receive(received: unknown): void {
    const message = received as Message;
    switch (message.kind) {
      case 'notice':
        this.#notices.get(message.name)?.(message.payload as never);
        break;
      case 'question':
        void this.reply(message.id, message.name, message.payload);
        break;
      case 'answer':
        this.#pending.get(message.id)?.resolve(message.payload as never);
        break;
      case 'failure':
        this.#pending.get(message.id)?.reject(new Error(message.message));
        break;
    }
  }

  private async reply(id: string, name: string, payload: unknown): Promise<void> {
    try {
      const handler = this.#questions.get(name);
      if (!handler) throw new Error(`nobody answers "${name}" yet`);
      this.port.send({ kind: 'answer', id, payload: await handler(payload as never) });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.port.send({ kind: 'failure', id, message });
    }
  }
}
