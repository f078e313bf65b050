// Token exchange (RFC 8693) for node-oidc-provider, which leaves this grant to its user: as a custom grant.
//
// Callers' tokens are opaque here, so that only the provider can say whether they hold.

import { errors } from 'oidc-provider';

export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const RESOURCE = 'https://mcp.example.com/mcp';
const REPORTS = 'https://reports.example.com';

/** Gives clients with this grant the scope `reports` of the API of that name, for tokens of RESOURCE. */
export function registerExchange(provider) {
  const parameters = ['subject_token', 'subject_token_type', 'requested_token_type', 'audience', 'scope'];
  provider.registerGrantType(EXCHANGE, exchange, parameters);

  async function exchange(context) {
    const { client, params } = context.oidc;
    const { subject_token: token, subject_token_type: type, audience, scope } = params;
    const wanted = params.requested_token_type ?? ACCESS_TOKEN;
    if (type !== ACCESS_TOKEN || wanted !== ACCESS_TOKEN) throw new errors.InvalidRequest('only access tokens are exchanged');
    const subject = await provider.AccessToken.find(token);
    if (!subject?.isValid || subject.aud !== RESOURCE) throw new errors.InvalidRequest('the subject_token does not hold');
    if (audience !== REPORTS) throw new errors.InvalidTarget('the client may not reach this');
    if (scope !== 'reports') throw new errors.InvalidScope('this scope is not given', scope);

    const { accountId, grantId } = subject;
    const exchanged = new provider.AccessToken({ accountId, client, grantId, gty: 'token_exchange', scope });
    const form = { accessTokenFormat: 'jwt', accessTokenTTL: 600, jwt: { sign: { alg: 'ES256' } } };
    exchanged.resourceServer = new provider.ResourceServer(REPORTS, { audience: REPORTS, scope, ...form });
    context.body = {
      access_token: await exchanged.save(),
      issued_token_type: ACCESS_TOKEN,
      token_type: exchanged.tokenType,
      expires_in: exchanged.expiration,
      scope,
    };
  }
}
