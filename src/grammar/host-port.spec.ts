import fc from 'fast-check';
import { GrammarError } from './grammar-error.js';
import { formatHostPort, parseHostPort } from './host-port.js';

describe('parseHostPort', () => {
  it.each<[unknown, string, number]>([
    ['127.0.0.1:6021', '127.0.0.1', 6021],
    ['proxy.example.org:80', 'proxy.example.org', 80],
    [':6021', '', 6021],
    ['[::1]:6021', '::1', 6021],
    ['[fe80::1%eth0]:1', 'fe80::1%eth0', 1],
    ['localhost:0', 'localhost', 0],
    [{ host: '0.0.0.0', port: 6022 }, '0.0.0.0', 6022],
    [{ host: '', port: '6022' }, '', 6022],
    [['localhost', 6022], 'localhost', 6022],
  ])('reads %j', (value, host, port) => {
    expect(parseHostPort(value)).toEqual({ host, port });
  });

  it.each([
    '',
    'localhost',
    'localhost:',
    'localhost:http',
    'localhost:65536',
    'localhost:-1',
    '::1:6021',
    'a b:1',
    6021,
    null,
    ['localhost'],
    ['localhost', 1, 2],
    { host: 'a' },
    { host: 'a', port: 1.5 },
    { host: 'a', port: 1, prot: 'tcp' },
  ])('refuses %j', (value) => {
    expect(() => parseHostPort(value)).toThrow(GrammarError);
  });

  it('reads what it formats', () => {
    const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6(), fc.constant(''));
    fc.assert(
      fc.property(host, fc.nat(65_535), (host, port) => {
        expect(parseHostPort(formatHostPort({ host, port }))).toEqual({ host, port });
      }),
    );
  });
});
