import { parseToolkitVersion } from './toolkit-version.js';

describe('parseToolkitVersion', () => {
  it.each([
    ['version pdu (RapidFile) 2.1.1', 2, '2.1.1'],
    ['pdu (RapidFile Toolkit) 1.0.0-beta.5', 1, '1.0.0-beta.5'],
    ['version p1a2b (RapidFile Toolkit) 2.0\nmore', 2, '2.0'],
    ['pdu (RapidFile) 1.2', 1, '1.2'],
  ])('reads %j', (output, major, text) => {
    expect(parseToolkitVersion(output)).toEqual({ major, text });
  });

  it.each([
    'pdu 0.21.1',
    'pcp version 6.2.0',
    'du (GNU coreutils) 9.1',
    'version pdu (RapidFile) 3.0.0',
    'version pdu (RapidFile) 21.0',
    'hello\nversion pdu (RapidFile) 2.1.1',
    '',
  ])('does not take %j for the toolkit', (output) => {
    expect(parseToolkitVersion(output)).toBeUndefined();
  });
});
