import {
  ValidationPipe,
  type ArgumentMetadata,
  type PipeTransform,
  type ValidationPipeOptions,
} from '@nestjs/common';
import type { ValidationError } from 'class-validator';
import { StorageError } from '../errors/storage-error.js';

const EXTRAS = Symbol('extra-members-ignored');

/** Class decorator for DTOs whose unknown members are dropped instead of refused. */
export function IgnoreExtraMembers(): ClassDecorator {
  return (target) => Reflect.defineMetadata(EXTRAS, true, target);
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
    const ignoreExtras = metatype !== undefined && Reflect.hasMetadata(EXTRAS, metatype);
    return (ignoreExtras ? this.lenient : this.strict).transform(value, metadata);
  }
}

const OPTIONS: ValidationPipeOptions = {
  transform: true,
  whitelist: true,
  validateCustomDecorators: true,
  stopAtFirstError: true,
  validationError: { target: false, value: true },
  exceptionFactory: (errors) => invalidParameters(errors),
};

/** The StorageError that says which members failed and why. */
function invalidParameters(errors: readonly ValidationError[]): StorageError {
  const data = reasonsOf(errors);
  return new StorageError('INVALID_ARGUMENT', `Invalid API parameters: ${sentence(data)}`, {
    subject: 'request',
    data,
  });
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
