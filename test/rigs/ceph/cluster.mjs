import { spawn, execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const START_MS = 60_000;
const STEP_MS = 50;
const STOP_MS = 5_000;
const MDS_TICK_SECONDS = 0.25;

/** Capabilities of the daemons' keys; every name is in one keyring, which is there before the monitor is made. */
const KEYS = {
  'mon.': { mon: 'allow *' },
  'client.admin': { mon: 'allow *', osd: 'allow *', mds: 'allow *', mgr: 'allow *' },
  'mgr.x': { mon: 'allow profile mgr', osd: 'allow *', mds: 'allow *' },
  'osd.0': { mon: 'allow profile osd', mgr: 'allow profile osd', osd: 'allow *' },
  'mds.m': { mon: 'allow profile mds', mgr: 'allow profile mds', osd: 'allow rwx', mds: 'allow *' },
};

/**
 * A Ceph of one monitor, manager, OSD and metadata server in memory, with authentication, in a directory of its own
 * and on the ports that Ceph has everywhere. Its daemons run in the foreground as children of this process, die with it, and are
 * ended by their process ids.
 */
export class CephCluster {
  /** By name: `mon.a`, `mgr.x`, `osd.0`, `mds.m`, and `fuse.<mount>` of each mount. */
  #children = new Map();
  #mounts = new Map();

  constructor(directory) {
    this.directory = directory;
    this.configFile = path.join(directory, 'ceph.conf');
    this.keyring = path.join(directory, 'keyring');
    this.runDirectory = path.join(directory, 'run');
  }

  /** Resolves when the filesystem `cephfs` can be mounted. Leaves nothing running when it rejects. */
  static async start(directory) {
    const cluster = new CephCluster(directory);
    try {
      await cluster.#start();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** Process id of a daemon or mount, for SIGSTOP and SIGCONT. */
  pid(name) {
    const child = this.#children.get(name);
    if (!child) throw new Error(`no process is named ${name}`);
    return child.pid;
  }

  /** The output of `ceph ARGUMENTS`. */
  async ceph(...args) {
    const { stdout } = await run('ceph', ['-c', this.configFile, ...args], { timeout: START_MS });
    return stdout;
  }

  /**
   * Makes the key of a client that may use the filesystem below `directory` with these MDS flags, `rwps` for
   * example.
   */
  async authorize(client, directory, flags) {
    const text = await this.ceph('fs', 'authorize', 'cephfs', `client.${client}`, directory, flags);
    fs.writeFileSync(path.join(this.directory, `${client}.keyring`), text, { mode: 0o600 });
  }

  /** Mounts the filesystem, or a directory of it, by ceph-fuse as that client. Resolves with the mount path. */
  async mount(name, client, directory = '/') {
    const target = path.join(this.directory, 'mounts', name);
    fs.mkdirSync(target, { recursive: true });
    this.#mounts.set(name, target);
    const keyring = client === 'admin' ? this.keyring : this.#path(`${client}.keyring`);
    this.#spawn(`fuse.${name}`, 'ceph-fuse', [
      '-f',
      `--conf=${this.configFile}`,
      `--id=${client}`,
      `--keyring=${keyring}`,
      `--client_mountpoint=${directory}`,
      `--pid_file=${path.join(this.runDirectory, `fuse.${name}.pid`)}`,
      target,
    ]);
    await this.#until(`the mount ${name}`, () => isMounted(target), `fuse.${name}`);
    return target;
  }

  async unmount(name) {
    const target = this.#mounts.get(name);
    this.#mounts.delete(name);
    if (target) await run('umount', ['-l', target]).catch(() => undefined);
    await this.#end(`fuse.${name}`);
  }

  /** Ends every process, the stopped ones too, and unmounts. Never rejects. */
  async stop() {
    for (const child of this.#children.values()) child.kill('SIGCONT');
    for (const name of this.#mounts.keys()) await this.unmount(name);
    for (const name of [...this.#children.keys()].toReversed()) await this.#end(name);
  }

  async #start() {
    const { directory } = this;
    for (const name of ['mon', 'mgr', 'osd', 'mds', 'run']) fs.mkdirSync(this.#path(name));
    const fsid = randomUUID();
    const addresses = '[v2:127.0.0.1:3300,v1:127.0.0.1:6789]';
    fs.writeFileSync(this.configFile, configuration(this, fsid, addresses));
    fs.writeFileSync(this.keyring, keyring(), { mode: 0o600 });

    const monmap = path.join(directory, 'monmap');
    const conf = ['-c', this.configFile];
    await run('monmaptool', ['--create', '--addv', 'a', addresses, '--fsid', fsid, monmap]);
    await run('ceph-mon', [...conf, '--mkfs', '-i', 'a', '--monmap', monmap, '-k', this.keyring]);
    this.#spawn('mon.a', 'ceph-mon', [...conf, '-f', '-i', 'a']);
    this.#spawn('mgr.x', 'ceph-mgr', [...conf, '-f', '-i', 'x']);

    const osd = randomUUID();
    await this.ceph('osd', 'create', osd);
    await run('ceph-osd', [...conf, '-i', '0', '--mkfs', '--osd-uuid', osd]);
    this.#spawn('osd.0', 'ceph-osd', [...conf, '-f', '-i', '0']);
    await this.ceph('osd', 'crush', 'add', '0', '1.0', 'root=default', 'host=h');
    this.#spawn('mds.m', 'ceph-mds', [...conf, '-f', '-i', 'm']);
    await this.ceph('osd', 'pool', 'create', 'meta', '8');
    await this.ceph('osd', 'pool', 'create', 'data', '8');
    await this.ceph('fs', 'new', 'cephfs', 'meta', 'data');
    await this.#until(
      'the metadata server',
      async () => (await this.ceph('mds', 'stat')).includes('up:active'),
      'mds.m',
    );
  }

  #path(name) {
    return path.join(this.directory, name);
  }

  #spawn(name, command, args) {
    const log = fs.openSync(this.#path(`${name}.out`), 'a');
    // The death signal outlives exec: whatever becomes of this process, its daemons go with it.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', command, ...args], {
      stdio: ['ignore', log, log],
      env: { ...process.env, CEPH_CONF: this.configFile },
    });
    fs.closeSync(log);
    child.on('error', () => undefined);
    this.#children.set(name, child);
  }

  async #end(name) {
    const child = this.#children.get(name);
    this.#children.delete(name);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(name.startsWith('fuse.') ? 'SIGTERM' : 'SIGKILL');
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await gone;
    clearTimeout(late);
  }

  async #until(what, holds, process) {
    const deadline = Date.now() + START_MS;
    for (;;) {
      const child = this.#children.get(process);
      if (child && (child.exitCode !== null || child.signalCode !== null)) {
        const said = fs.readFileSync(this.#path(`${process}.out`), 'utf8').slice(-2000);
        throw new Error(`${process} ended before ${what} was there:\n${said}`);
      }
      if (await holds()) return;
      if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
      await sleep(STEP_MS);
    }
  }
}

function isMounted(target) {
  const mounts = fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return mounts.some((line) => line.split(' ')[4] === target);
}

function configuration({ directory, runDirectory, keyring: keys }, fsid, addresses) {
  const settings = {
    fsid,
    mon_host: addresses,
    mon_initial_members: 'a',
    auth_cluster_required: 'cephx',
    auth_service_required: 'cephx',
    auth_client_required: 'cephx',
    auth_allow_insecure_global_id_reclaim: false,
    keyring: keys,
    osd_pool_default_size: 1,
    osd_pool_default_min_size: 1,
    osd_pool_default_pg_autoscale_mode: 'off',
    mon_allow_pool_size_one: true,
    mon_warn_on_pool_no_redundancy: false,
    osd_crush_chooseleaf_type: 0,
    osd_objectstore: 'memstore',
    memstore_device_bytes: 4 * 2 ** 30,
    osd_class_update_on_start: false,
    osd_crush_update_on_start: false,
    run_dir: runDirectory,
    admin_socket: `${runDirectory}/$name.$pid.asok`,
    pid_file: `${runDirectory}/$name.pid`,
    log_file: `${directory}/$name.log`,
    mon_data: `${directory}/mon`,
    mgr_data: `${directory}/mgr`,
    osd_data: `${directory}/osd`,
    mds_data: `${directory}/mds`,
    // What one client waits for of another, and how far usage is behind: five seconds of waiting for each test.
    mds_tick_interval: MDS_TICK_SECONDS,
    ms_bind_ipv6: false,
    public_addr: '127.0.0.1',
    cluster_addr: '127.0.0.1',
  };
  const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}`);
  return `[global]\n${lines.join('\n')}\n`;
}

function keyring() {
  return Object.entries(KEYS)
    .map(([name, caps]) => {
      const lines = Object.entries(caps).map(([service, cap]) => `\tcaps ${service} = "${cap}"`);
      return `[${name}]\n\tkey = ${newKey()}\n${lines.join('\n')}\n`;
    })
    .join('');
}

/** `CryptoKey` of Ceph: type 1 (AES), time of creation, length, 16 bytes of secret; base64. */
function newKey() {
  const key = Buffer.alloc(28);
  key.writeUInt16LE(1, 0);
  key.writeUInt32LE(Math.floor(Date.now() / 1000), 2);
  key.writeUInt16LE(16, 10);
  randomBytes(16).copy(key, 12);
  return key.toString('base64');
}
