// The OAuth half of the client fixture: a provider for either SDK, with a user who agrees to everything.
import {
  checkResourceAllowed, ClientCredentialsProvider, CrossAppAccessProvider, DpopSession, PrivateKeyJwtProvider,
  requestJwtAuthorizationGrant,
} from '@modelcontextprotocol/client';

const redirectUrl = 'http://127.0.0.1:9/callback';
const clientMetadataUrl = 'https://conformance-test.local/client-metadata.json';

// Credentials are kept by the server that issued them, as the SDKs ask for.
export class Provider {
  #clients = new Map();
  #tokens = new Map();
  #newest;
  #verifier;
  // What the authorization server sent the user back with, when it has.
  callback;

  constructor(preregistered) {
    this.preregistered = preregistered;
  }

  redirectUrl = redirectUrl;
  clientMetadataUrl = clientMetadataUrl;
  clientMetadata = {
    client_name: 'mcptrace-conformance-client',
    redirect_uris: [redirectUrl],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    application_type: 'native',
  };

  clientInformation = (context) => this.preregistered ?? this.#clients.get(context?.issuer);
  saveClientInformation = (client, context) => void this.#clients.set(context?.issuer, client);
  tokens = (context) => (context ? this.#tokens.get(context.issuer) : this.#newest);
  saveTokens(tokens, context) {
    this.#newest = tokens;
    this.#tokens.set(context?.issuer, tokens);
  }
  saveCodeVerifier = (verifier) => void (this.#verifier = verifier);
  codeVerifier = () => this.#verifier;

  async redirectToAuthorization(url) {
    const response = await fetch(url, { redirect: 'manual' });
    const location = response.headers.get('location');
    if (!location) throw new Error(`no redirect from the authorization server: ${response.status}`);
    this.callback = new URL(location).searchParams;
  }
}

// Behind a proxy on another origin a client must be told which resource it means (RFC 8707). So it is here: the server's own URL, to
// which the rule is applied that the SDKs apply to the URL that they dial. Given back as it was published, without a slash more.
async function matching(canonical, resource) {
  if (resource === undefined) return undefined;
  if (checkResourceAllowed({ requestedResource: canonical, configuredResource: resource })) return resource;
  throw new Error(`Protected resource ${resource} does not match expected ${canonical}`);
}

// A workload that has a signed assertion of what it is, and no user.
class WorkloadProvider extends Provider {
  constructor({ client_id, valid_jwt }) {
    super({ client_id });
    this.assertion = valid_jwt;
  }

  redirectUrl = undefined;
  clientMetadataUrl = undefined;
  clientMetadata = { client_name: 'workload', redirect_uris: [], token_endpoint_auth_method: 'none' };
  prepareTokenRequest = (scope) => new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: this.assertion, ...(scope && { scope }),
  });
}

const enterprise = (context) => new CrossAppAccessProvider({
  clientId: context.client_id,
  clientSecret: context.client_secret,
  assertion: async ({ authorizationServerUrl, resourceUrl, scope, fetchFn }) => (await requestJwtAuthorizationGrant({
    tokenEndpoint: context.idp_token_endpoint, idToken: context.idp_id_token, clientId: context.idp_client_id,
    audience: authorizationServerUrl, resource: resourceUrl, scope, fetchFn,
  })).jwtAuthGrant,
});

async function makeProvider(scenario, context) {
  const { client_id: clientId, client_secret: clientSecret } = context;
  switch (scenario) {
    case 'auth/pre-registration':
      return new Provider({ client_id: clientId, client_secret: clientSecret, redirect_uris: [redirectUrl] });
    case 'auth/client-credentials-jwt':
      return new PrivateKeyJwtProvider({
        clientId, privateKey: context.private_key_pem, algorithm: context.signing_algorithm,
      });
    case 'auth/client-credentials-basic':
      return new ClientCredentialsProvider({ clientId, clientSecret });
    case 'auth/enterprise-managed-authorization':
      return enterprise(context);
    case 'auth/wif-jwt-bearer':
      return new WorkloadProvider(context);
    case 'auth/dpop':
    case 'auth/dpop-nonce': {
      const session = await DpopSession.create();
      return Object.assign(new Provider(), { dpop: () => session });
    }
    default:
      return new Provider();
  }
}

// What `scenario` needs, given what the suite says about it. `canonical` is the server's own URL where the client dials another.
export async function providerFor(scenario, context, canonical) {
  const provider = await makeProvider(scenario, context);
  if (canonical) provider.validateResourceURL = (_url, resource) => matching(canonical, resource);
  return provider;
}
