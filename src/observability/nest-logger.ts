import type { LoggerService } from '@nestjs/common';
import { loggerFor, type ComponentLogger } from './logger.js';

/** Sends what Nest and its `Logger` write through our logger, under the component Nest names. */
export class NestLogger implements LoggerService {
  private readonly components = new Map<string, ComponentLogger>();

  log(message: unknown, ...rest: unknown[]): void {
    // Nest's own start-up chatter (modules, routes) is of interest to developers only.
    const { log, text, facts, component } = this.take(message, rest);
    if (NEST_INTERNALS.has(component)) log.debug(text, facts);
    else log.info(text, facts);
  }

  error(message: unknown, ...rest: unknown[]): void {
    const { log, text, facts } = this.take(message, rest);
    log.error(text, facts);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    const { log, text, facts } = this.take(message, rest);
    log.warn(text, facts);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    const { log, text, facts } = this.take(message, rest);
    log.debug(text, facts);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    const { log, text, facts } = this.take(message, rest);
    log.trace(text, facts);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    const { log, text, facts } = this.take(message, rest);
    log.fatal(text, facts);
  }

  /** Nest passes the component last, and for errors a stack before it. */
  private take(message: unknown, rest: unknown[]) {
    const last = rest.at(-1);
    const component = typeof last === 'string' ? last : 'nest';
    const stack = rest.find((item) => typeof item === 'string' && item !== last);
    const facts = message instanceof Error ? { err: message } : stack ? { stack } : {};
    const text = message instanceof Error ? message.message : textOf(message);
    return { log: this.logger(component), text, facts, component };
  }

  private logger(component: string): ComponentLogger {
    const known = this.components.get(component);
    if (known) return known;
    const logger = loggerFor(component);
    this.components.set(component, logger);
    return logger;
  }
}

const NEST_INTERNALS: ReadonlySet<string> = new Set([
  'NestFactory',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestApplication',
]);

function textOf(message: unknown): string {
  return typeof message === 'string' ? message : (JSON.stringify(message) ?? String(message));
}
