// Checks that may end differently behind the proxy, each with its reason: { leg, scenario, checks, reason }, for all versions. One that is
// listed here and ends equally everywhere is an error, too.
//
// OAuth's audience (RFC 8707) needs none: the server's metadata name the server's own URL, which is not the one that a client behind a
// proxy dials, so the client fixture is told it (oauth.mjs), as every client behind a proxy on another origin must be.

const dpop = 'A DPoP proof (RFC 9449) is signed for the URL that the client dials, and the server holds it against its own. Behind a ' +
  'proxy on another origin no proof can be right, and none may be repaired on the way.';

export const exceptions = [
  { leg: 'client', scenario: 'auth/dpop', checks: ['sep-1932-client-fresh-proof', 'client-exit'], reason: dpop },
  {
    leg: 'client',
    scenario: 'auth/dpop-nonce',
    checks: ['sep-1932-client-fresh-proof', 'sep-1932-client-rs-nonce', 'incoming-request', 'outgoing-response', 'client-exit'],
    reason: dpop,
  },
];
