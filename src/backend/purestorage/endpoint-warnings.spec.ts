import { endpointWarnings } from './endpoint-warnings.js';

describe('endpointWarnings', () => {
  it.each([
    ['https://flashblade.example', true, []],
    ['http://flashblade.example:8080', true, [/clear text/]],
    ['https://flashblade.example', false, [/not verified/]],
    ['http://localhost:8080', true, []],
    ['https://[::1]', false, []],
    ['http://localhost.example', true, [/clear text/]],
  ])('of %s with verification %s', (endpoint, verifyTls, expected) => {
    const warnings = endpointWarnings('blade', { endpoint, verifyTls });
    expect(warnings).toEqual(expected.map((each) => expect.stringMatching(each) as unknown));
  });
});
