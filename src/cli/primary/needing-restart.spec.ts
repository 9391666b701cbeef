import type { Settings } from '../../config/settings.js';
import { needingRestart } from './needing-restart.js';

const BASE = {
  storageProxy: { numProc: 2, secret: 'a' },
  logging: { level: 'INFO' },
  server: { umask: '022', drainDelayMs: 0, trustedProxies: ['10.0.0.1'] },
  volumes: [{ name: 'a', path: '/a' }],
  debug: { enabled: false, other: false },
};

function settings(change: (plain: typeof BASE) => void = () => undefined): Settings {
  const plain = structuredClone(BASE);
  change(plain);
  return plain as unknown as Settings;
}

describe('needingRestart', () => {
  it('finds nothing in equal settings', () => {
    expect(needingRestart(settings(), settings())).toEqual([]);
  });

  it('leaves out what a reload takes over', () => {
    const after = settings((plain) => {
      plain.logging.level = 'DEBUG';
      plain.server.drainDelayMs = 5;
      plain.volumes = [];
      plain.storageProxy.secret = 'b';
    });
    expect(needingRestart(settings(), after)).toEqual([]);
  });

  it('names the rest by path, never by value', () => {
    const after = settings((plain) => {
      plain.storageProxy.numProc = 3;
      plain.server.trustedProxies = [];
      plain.debug = { enabled: true, other: true };
    });
    expect(needingRestart(settings(), after)).toEqual([
      'storageProxy.numProc',
      'server.trustedProxies',
      'debug.other',
    ]);
  });
});
