// Checked by tsc and never run: every type of the published package beside ours. `published.test.mjs` holds this list
// to the whole.
import type { AuthInfo as SdkAuthInfo } from '@modelcontextprotocol/sdk/server/auth/types.js';
import express from 'express';
import type * as Ours from '../dist/original.mjs';
import type * as Published from './published/node_modules/mcp-auth/lib/index.js';

/** Whether what is written for the published package fits ours, and what ours gives fits where theirs was expected. */
type Fits<Theirs, Mine> = [theirs: [Theirs] extends [Mine] ? true : false, mine: [Mine] extends [Theirs] ? true : false];
function fits<Theirs, Mine>(..._: Fits<Theirs, Mine>): void {}
type Fields<Value> = { [Name in keyof Value]: Value[Name] };

fits<Published.AuthServerConfig, Ours.AuthServerConfig>(true, true);
fits<Published.AuthServerConfigError, Ours.AuthServerConfigError>(true, true);
fits<Published.AuthServerConfigErrorCode, Ours.AuthServerConfigErrorCode>(true, true);
fits<Published.AuthServerConfigWarning, Ours.AuthServerConfigWarning>(true, true);
fits<Published.AuthServerConfigWarningCode, Ours.AuthServerConfigWarningCode>(true, true);
fits<Published.AuthServerDiscoveryConfig, Ours.AuthServerDiscoveryConfig>(true, true);
fits<Published.AuthServerErrorCode, Ours.AuthServerErrorCode>(true, true);
fits<Published.AuthServerModeConfig, Ours.AuthServerModeConfig>(true, true);
fits<Published.AuthServerSuccessCode, Ours.AuthServerSuccessCode>(true, true);
fits<Published.AuthServerType, Ours.AuthServerType>(true, true);
fits<Published.AuthorizationServerMetadata, Ours.AuthorizationServerMetadata>(true, true);
fits<Published.BearerAuthErrorCode, Ours.BearerAuthErrorCode>(true, true);
fits<Published.CamelCaseAuthorizationServerMetadata, Ours.CamelCaseAuthorizationServerMetadata>(true, true);
fits<Published.CamelCaseProtectedResourceMetadata, Ours.CamelCaseProtectedResourceMetadata>(true, true);
fits<Published.MCPAuthBearerAuthErrorDetails, Ours.MCPAuthBearerAuthErrorDetails>(true, true);
fits<Published.MCPAuthTokenVerificationErrorCode, Ours.MCPAuthTokenVerificationErrorCode>(true, true);
fits<Published.ProtectedResourceMetadata, Ours.ProtectedResourceMetadata>(true, true);
fits<Published.ResolvedAuthServerConfig, Ours.ResolvedAuthServerConfig>(true, true);
fits<Published.ValidateIssuerFunction, Ours.ValidateIssuerFunction>(true, true);
fits<Published.VerifyAccessTokenFunction, Ours.VerifyAccessTokenFunction>(true, true);
fits<Published.VerifyAccessTokenMode, Ours.VerifyAccessTokenMode>(true, true);

// Ours have more members, all optional.
fits<Published.BearerAuthConfig, Ours.BearerAuthConfig>(true, true);
fits<Published.MCPAuthConfig, Ours.MCPAuthConfig>(true, true);
fits<Published.ResourceServerModeConfig, Ours.ResourceServerModeConfig>(true, true);

// Classes: no object of theirs is one of ours.
fits<keyof Published.MCPAuth, keyof Ours.MCPAuth>(true, true);
fits<ConstructorParameters<typeof Published.MCPAuth>, ConstructorParameters<typeof Ours.MCPAuth>>(true, true);
fits<Fields<Published.MCPAuthError>, Fields<Ours.MCPAuthError>>(true, true);
fits<typeof Published.MCPAuthError, typeof Ours.MCPAuthError>(true, true);
fits<typeof Published.MCPAuthConfigError, typeof Ours.MCPAuthConfigError>(true, true);
fits<typeof Published.MCPAuthAuthServerError, typeof Ours.MCPAuthAuthServerError>(true, true);
// Ours have a `status` too.
fits<typeof Published.MCPAuthBearerAuthError, typeof Ours.MCPAuthBearerAuthError>(false, true);
fits<typeof Published.MCPAuthTokenVerificationError, typeof Ours.MCPAuthTokenVerificationError>(false, true);

// Functions, in what they take and give.
fits<typeof Published.fetchServerConfig, typeof Ours.fetchServerConfig>(true, true);
fits<typeof Published.fetchServerConfigByWellKnownUrl, typeof Ours.fetchServerConfigByWellKnownUrl>(true, true);
fits<typeof Published.getIssuer, typeof Ours.getIssuer>(true, true);
fits<typeof Published.validateServerConfig, typeof Ours.validateServerConfig>(true, true);
fits<Parameters<typeof Published.handleBearerAuth>, Parameters<typeof Ours.handleBearerAuth>>(true, true);
fits<typeof Published.serverMetadataPaths, typeof Ours.serverMetadataPaths>(true, true);
fits<typeof Published.defaultValues, typeof Ours.defaultValues>(true, true);

// What importing the surface gives to the official SDK and to Express.
declare const authInfo: SdkAuthInfo;
authInfo satisfies { issuer: string; subject?: string; audience?: string | string[]; claims?: Record<string, unknown> };
express().use((request) => void (request.auth satisfies SdkAuthInfo | undefined));
declare const mcpAuth: Ours.MCPAuth;
declare const handle: typeof Ours.handleBearerAuth;
declare const verify: Ours.VerifyAccessTokenFunction;
express().use(mcpAuth.protectedResourceMetadataRouter(), mcpAuth.delegatedRouter());
express().get('/notes', mcpAuth.bearerAuth('jwt', { resource: 'https://api.example.com/notes' }), (request, response) => {
  response.json({ subject: request.auth?.subject, claims: request.auth?.claims });
});
express().use(handle({ verifyAccessToken: verify, issuer: 'https://a.example', audience: 'https://b.example' }));
