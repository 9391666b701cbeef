import { connect, type Socket } from 'node:net';
import { SystemError } from '../../native/errno.js';
import { peerCredentials } from '../../native/peer-credentials.js';
import { FrameReader, ProtocolError, type Frame } from '../protocol/frame.js';

/** What the owner of a link is told. After `lost` the link is silent. */
export interface LinkEvents {
  up(): void;
  frame(frame: Frame): void;
  /** SystemError of connect(2), ProtocolError, ImpostorError, or Error when the agent hung up. */
  lost(reason: Error): void;
}

/** Somebody else than an agent listens where the agent should. */
export class ImpostorError extends Error {
  override readonly name = 'ImpostorError';
}

/** One connection to the agent, from connect(2) to its end. */
export class AgentLink {
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  #reason: Error = new Error('the agent ended the connection');
  #isUp = false;

  constructor(
    path: string,
    private readonly events: LinkEvents,
  ) {
    this.#socket = connect(path);
    this.#socket.once('connect', () => this.#connected());
    this.#socket.on('data', (chunk) => this.#take(chunk));
    this.#socket.on('error', (error) => {
      this.#reason = SystemError.from(error, 'connect');
    });
    this.#socket.once('close', () => {
      this.#isUp = false;
      events.lost(this.#reason);
    });
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  send(frame: Buffer): void {
    this.#socket.write(frame);
  }

  /** Whether an idle link keeps the process alive. */
  hold(isWanted: boolean): void {
    if (isWanted) this.#socket.ref();
    else this.#socket.unref();
  }

  /** Ends the connection; `lost` follows with this reason. */
  cut(reason: Error): void {
    this.#reason = reason;
    this.#socket.destroy();
  }

  #connected(): void {
    const { uid } = peerCredentials(this.#socket);
    if (uid !== 0 && uid !== process.geteuid?.()) {
      this.cut(new ImpostorError(`uid ${uid} listens there, and an agent runs as root`));
      return;
    }
    this.#isUp = true;
    this.events.up();
  }

  #take(chunk: Buffer): void {
    this.#reader.push(chunk);
    try {
      for (let frame = this.#reader.next(); frame; frame = this.#reader.next()) {
        if (this.#socket.destroyed) return;
        this.events.frame(frame);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.cut(error);
    }
  }
}
