import {
  ValidationPipe,
  type ArgumentMetadata,
  type PipeTransform,
  type ValidationPipeOptions,
} from '@nestjs/common';
import type { ValidationError } from 'class-validator';
import { StorageError } from '../errors/storage-error.js';
import { parseMembers } from './member-parsers.js';
import { Refused } from './refused.js';

const EXTRAS = Symbol('extra-members-ignored');
const lenientNames = new Set<string>();

/** Whether the DTO class of this name takes members that it does not know; for documents. */
export function ignoresExtraMembers(className: string): boolean {
  return lenientNames.has(className);
}

/** Class decorator for DTOs whose unknown members are dropped instead of refused. */
export function IgnoreExtraMembers(): ClassDecorator {
  return (target) => {
    Reflect.defineMetadata(EXTRAS, true, target);
    lenientNames.add(target.name);
  };
}

/**
 * The global pipe: turns plain parameters into DTO instances and failures into INVALID_ARGUMENT with
 * `data: { member: reason }`, in the words of the original, nested like the parameters.
 */
export class ParametersPipe implements PipeTransform {
  private readonly strict = new ValidationPipe({ ...OPTIONS, forbidNonWhitelisted: true });
  private readonly lenient = new ValidationPipe(OPTIONS);

  transform(value: unknown, metadata: ArgumentMetadata): unknown {
    const { metatype } = metadata;
    if (metadata.type === 'query') refuseInherited(value);
    const ignoreExtras = metatype !== undefined && Reflect.hasMetadata(EXTRAS, metatype);
    const parsed = metatype && parseMembers(metatype, value, ignoreExtras);
    return parsed ?? (ignoreExtras ? this.lenient : this.strict).transform(value, metadata);
  }
}

/** class-transformer drops such names silently, before anybody can call them unknown. */
function refuseInherited(query: unknown): void {
  const names = Object.keys(query as object).filter((name) => name in Object.prototype);
  if (names.length === 0) return;
  const data = Object.fromEntries(names.map((name) => [name, `${name} is not allowed key`]));
  throw new StorageError('INVALID_ARGUMENT', `Invalid API parameters: ${sentence(data)}`, {
    subject: 'request',
    data,
  });
}

const OPTIONS: ValidationPipeOptions = {
  transform: true,
  whitelist: true,
  validateCustomDecorators: true,
  stopAtFirstError: true,
  validationError: { target: true, value: true },
  exceptionFactory: (errors) => invalidParameters(errors),
};

/** The StorageError that says which members failed and why. */
function invalidParameters(errors: readonly ValidationError[]): StorageError {
  const meanings = errors.map(meaningOf);
  // Malformed parameters first: the others may be about a vfolder that could not even be named.
  if (meanings[0] !== undefined && !meanings.includes(undefined)) return meanings[0];
  const data = reasonsOf(errors);
  return new StorageError('INVALID_ARGUMENT', `Invalid API parameters: ${sentence(data)}`, {
    subject: 'request',
    data,
  });
}

/** The error of a well-formed value that cannot be accepted, with the vfolder it is about. */
function meaningOf({ value, target }: ValidationError): StorageError | undefined {
  const error = value instanceof Refused ? value.meaning : undefined;
  if (error === undefined) return undefined;
  const { vfid } = target as { vfid?: string | { toString(): string } };
  const about = vfid === undefined ? {} : { vfid: vfid.toString() };
  return new StorageError(
    error.code,
    error.message,
    { ...about, ...error.details },
    { cause: error },
  );
}

interface Reasons {
  [member: string]: string | Reasons;
}

function reasonsOf(errors: readonly ValidationError[]): Reasons {
  return Object.fromEntries(errors.map((error) => [error.property, reasonOf(error)]));
}

function reasonOf(error: ValidationError): string | Reasons {
  if (error.children && error.children.length > 0) return reasonsOf(error.children);
  if (error.constraints?.['whitelistValidation'] !== undefined) {
    return `${error.property} is not allowed key`;
  }
  if (error.value === undefined) return 'is required';
  return Object.values(error.constraints ?? {})[0] ?? 'is not valid';
}

function sentence(reasons: Reasons, prefix = ''): string {
  return Object.entries(reasons)
    .map(([member, reason]) =>
      typeof reason === 'string'
        ? `${prefix}${member}: ${reason}`
        : sentence(reason, `${prefix}${member}.`),
    )
    .join('; ');
}
