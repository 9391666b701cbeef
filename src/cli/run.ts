import yargs, { type Argv } from 'yargs';
import { LOG_LEVELS } from '../config/sections/logging.section.js';
import type { CommandContext } from './commands/context.js';
import { installation } from './installation.js';

const USAGE_ERROR = 2;
const HELP_WIDTH = 100;

/** One line a paragraph: yargs wraps them. */
const EPILOGUE = [
  'Configuration: without -f, the file that BACKEND_CONFIG_FILE names, else the first of ./storage-proxy.toml, ~/.config/backend.ai/storage-proxy.toml and /etc/backend.ai/storage-proxy.toml.',
  'Environment: STORAGE_PROXY__SECTION__KEY overrides any key of the file: two underscores between the parts, one for each hyphen, for example STORAGE_PROXY__API__MANAGER__SERVICE_ADDR=127.0.0.1:7022 for [api.manager] service-addr. Options win over the environment, the environment over the file. Never put a secret on the command line, where every user of the host can read it.',
  'Signals to "serve": SIGTERM and SIGINT drain and end, a second one hurries; SIGHUP reads certificates, secrets, log level and volumes again. To "agent": SIGTERM and SIGINT end it, SIGHUP reads log level and volumes again.',
  'Exit codes: 0 ended as asked, 1 the configuration or a start failed, 2 the command line is wrong.',
].join('\n\n');

/** Runs one command to its end; resolves with the exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  const context: CommandContext = {
    env: { ...process.env },
    cwd: process.cwd(),
    print: (line) => process.stdout.write(`${line}\n`),
    complain: (line) => process.stderr.write(`storage-proxy: ${line}\n`),
  };
  let exitCode = 0;
  try {
    await describe(argv, context, (code) => (exitCode = code)).parseAsync();
  } catch (error) {
    context.complain(error instanceof Error ? error.message : String(error));
    exitCode = error instanceof UsageError ? USAGE_ERROR : 1;
  }
  return exitCode;
}

/** The command line does not say what to do. */
class UsageError extends Error {}

/** Commands are loaded when they are run: the primary stays small. */
function describe(
  argv: readonly string[],
  context: CommandContext,
  ended: (exitCode: number) => void,
): Argv {
  return yargs([...argv])
    .scriptName('storage-proxy')
    .usage(
      '$0 <command>\n\nServes the virtual folders of a Backend.AI cluster from storage volumes.',
    )
    .command('serve', 'Serve the client and manager planes', serveOptions, async (given) => {
      const { serveCommand } = await import('./commands/serve.command.js');
      ended(await serveCommand(given, context));
    })
    .command(
      'agent',
      'Run the privileged helper that an unprivileged "serve" asks for project quotas, as root',
      configOption,
      async (given) => {
        const { agentCommand } = await import('./commands/agent.command.js');
        ended(await agentCommand(given, context));
      },
    )
    .command(
      'check-config',
      'Check a configuration file, strictly, and do nothing else',
      checkConfigOptions,
      async (given) => {
        const { checkConfigCommand } = await import('./commands/check-config.command.js');
        ended(await checkConfigCommand(given, context));
      },
    )
    .command(
      'register',
      'Write the keys to etcd by which managers find this proxy',
      registerOptions,
      async (given) => {
        const { registerCommand } = await import('./commands/register.command.js');
        ended(await registerCommand(given, context));
      },
    )
    .command(
      'openapi <directory>',
      'Write the OpenAPI documents of both planes into a directory',
      (command) =>
        command.positional('directory', {
          type: 'string',
          demandOption: true,
          describe: 'Where client.json and manager.json are written',
        }),
      async (given) => {
        const { openApiCommand } = await import('./commands/openapi.command.js');
        ended(await openApiCommand(given, context));
      },
    )
    .command('quota', 'Look after quotas', (command) => quotaCommands(command, context, ended))
    .command('version', 'Print the version', {}, () => context.print(installation.version))
    .version(installation.version)
    .alias('version', 'V')
    .help()
    .alias('help', 'h')
    .demandCommand(1, 'name a command; --help lists them')
    .strict()
    .epilogue(EPILOGUE)
    .wrap(HELP_WIDTH)
    .exitProcess(false)
    .fail((message, error) => {
      if (error !== undefined && error !== null) throw error;
      throw new UsageError(message);
    });
}

function quotaCommands(
  command: Argv,
  context: CommandContext,
  ended: (exitCode: number) => void,
): Argv {
  return command
    .command(
      'check',
      'Compare the projects and limits of xfs volumes with what is on them',
      quotaCheckOptions,
      async (given) => {
        const { quotaCheckCommand } = await import('./commands/quota-check.command.js');
        ended(await quotaCheckCommand(given, context));
      },
    )
    .demandCommand(1, 'name what to do with quotas; --help lists it');
}

function configOption<T>(command: Argv<T>) {
  return command.option('config', {
    alias: ['f', 'config-path'],
    type: 'string',
    requiresArg: true,
    describe: 'The configuration file',
  });
}

function serveOptions(command: Argv) {
  return configOption(command)
    .option('dev', {
      type: 'boolean',
      conflicts: 'config',
      describe:
        'A playground without configuration: one volume "local" and secrets made in ./var, on loopback',
    })
    .option('log-level', {
      choices: LOG_LEVELS,
      coerce: (level: string | undefined) => level?.toUpperCase(),
      requiresArg: true,
      describe: 'Least severe level that is logged; wins over [logging] level',
    })
    .option('debug', { type: 'boolean', describe: 'Log at level DEBUG; same as [debug] enabled' })
    .option('strict', {
      type: 'boolean',
      describe: "Refuse to start with unknown keys in the original's tables, instead of warning",
    });
}

function quotaCheckOptions(command: Argv) {
  return configOption(command)
    .option('fix', { type: 'boolean', describe: 'Repair what is found' })
    .option('volume', {
      type: 'string',
      array: true,
      requiresArg: true,
      describe: 'Only this volume; may be given several times',
    });
}

function checkConfigOptions(command: Argv) {
  return configOption(command).option('probe', {
    type: 'boolean',
    describe: 'Also open each volume and write a small file on it, as the user the workers run as',
  });
}

function registerOptions(command: Argv) {
  return configOption(command)
    .option('name', {
      type: 'string',
      requiresArg: true,
      describe: 'Name of the proxy, the first part of <proxy>:<volume>; the node id by default',
    })
    .option('client-url', {
      type: 'string',
      requiresArg: true,
      describe: 'Where clients reach the client plane; by default [api.client] service-addr',
    })
    .option('manager-url', {
      type: 'string',
      requiresArg: true,
      describe: 'Where managers reach the manager plane; by default [api.manager] announce-addr',
    })
    .option('ssl-verify', {
      type: 'boolean',
      default: true,
      describe: 'Whether managers verify the certificate of the manager plane',
    })
    .option('sftp-scaling-groups', {
      type: 'string',
      requiresArg: true,
      describe: 'Scaling groups for SFTP sessions, with commas',
    })
    .option('default-volume', {
      type: 'string',
      requiresArg: true,
      describe: 'The volume on which new folders are made unless another one is named',
    })
    .option('dry-run', { type: 'boolean', describe: 'Only show what would be written' });
}
