import { suggest } from './suggest.js';

describe('suggest', () => {
  it.each([
    ['lock-wiat', 'lock-wait'],
    ['lockwait', 'lock-wait'],
    ['idle-time', 'idle-timeout'],
    ['vsf', 'vfs'],
    ['x', undefined],
    ['completely-different', undefined],
    ['', undefined],
  ])('takes %j for %j', (word, meant) => {
    expect(suggest(word, ['lock-wait', 'idle-timeout', 'vfs'])).toBe(meant);
  });

  it('prefers the nearest', () => {
    expect(suggest('secretes', ['secret', 'secrets'])).toBe('secrets');
  });
});
