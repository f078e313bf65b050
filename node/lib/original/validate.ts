/** What the MCP specification asks of an authorization server. */
import type { ResolvedAuthServerConfig } from './metadata.js';
import { camelCaseAuthorizationServerMetadataSchema, defaultValues } from './schemas.js';

const SUCCESSES = {
  server_metadata_valid: 'The server metadata is valid and conforms to the expected schema.',
  dynamic_registration_supported: 'Dynamic Client Registration (RFC 7591) is supported by the server.',
  pkce_supported: 'Proof Key for Code Exchange (PKCE) is supported by the server.',
  s256_code_challenge_method_supported:
    'The "S256" code challenge method for Proof Key for Code Exchange (PKCE) is supported by the server.',
  authorization_code_grant_supported: 'The "authorization_code" grant type is supported by the server.',
  code_response_type_supported: 'The "code" response type is supported by the server.',
} as const;

const ERRORS = {
  invalid_server_metadata: 'The server metadata is not a valid object or does not conform to the expected schema.',
  code_response_type_not_supported:
    'The server does not support the "code" response type or the "code" response type is not included in one of the supported response types.',
  authorization_code_grant_not_supported: 'The server does not support the "authorization_code" grant type.',
  pkce_not_supported: 'The server does not support Proof Key for Code Exchange (PKCE).',
  s256_code_challenge_method_not_supported:
    'The server does not support the "S256" code challenge method for Proof Key for Code Exchange (PKCE).',
} as const;

const WARNINGS = {
  dynamic_registration_not_supported: 'Dynamic Client Registration (RFC 7591) is not supported by the server.',
} as const;

export type AuthServerSuccessCode = keyof typeof SUCCESSES;
export type AuthServerConfigErrorCode = keyof typeof ERRORS;
export type AuthServerConfigWarningCode = keyof typeof WARNINGS;

type Finding<Code> = {
  code: Code;
  description: string;
};

export type AuthServerSuccess = Finding<AuthServerSuccessCode>;
export type AuthServerConfigError = Finding<AuthServerConfigErrorCode> & { cause?: Error };
export type AuthServerConfigWarning = Finding<AuthServerConfigWarningCode>;

export type AuthServerConfigValidationResult =
  | { isValid: true; warnings: AuthServerConfigWarning[] }
  | { isValid: false; errors: AuthServerConfigError[]; warnings: AuthServerConfigWarning[] };

/** Checks metadata; with `verbose` also says what is in order. */
export function validateServerConfig(config: Readonly<ResolvedAuthServerConfig>): AuthServerConfigValidationResult;
export function validateServerConfig(
  config: Readonly<ResolvedAuthServerConfig>,
  verbose: true,
): AuthServerConfigValidationResult & { successes: AuthServerSuccess[] };
export function validateServerConfig(
  { metadata }: Readonly<ResolvedAuthServerConfig>,
  verbose = false,
): AuthServerConfigValidationResult & { successes?: AuthServerSuccess[] } {
  const errors: AuthServerConfigError[] = [];
  const warnings: AuthServerConfigWarning[] = [];
  const successes: AuthServerSuccess[] = [];
  const check = (holds: boolean, success: AuthServerSuccessCode, error: AuthServerConfigErrorCode, cause?: Error) => {
    if (holds) successes.push({ code: success, description: SUCCESSES[success] });
    else errors.push({ code: error, description: ERRORS[error], cause });
  };

  const parsed = camelCaseAuthorizationServerMetadataSchema.safeParse(metadata);
  check(parsed.success, 'server_metadata_valid', 'invalid_server_metadata', parsed.error);
  if (parsed.success) {
    const { responseTypesSupported, grantTypesSupported, codeChallengeMethodsSupported: pkce, registrationEndpoint } = parsed.data;
    const hasCode = responseTypesSupported.some((type) => type.split(' ').includes('code'));
    check(hasCode, 'code_response_type_supported', 'code_response_type_not_supported');
    const grants = grantTypesSupported ?? defaultValues.grantTypesSupported;
    const hasGrant = grants?.includes('authorization_code') === true;
    check(hasGrant, 'authorization_code_grant_supported', 'authorization_code_grant_not_supported');
    check(pkce !== undefined, 'pkce_supported', 'pkce_not_supported');
    if (pkce) {
      const hasS256 = pkce.includes('S256');
      check(hasS256, 's256_code_challenge_method_supported', 's256_code_challenge_method_not_supported');
    }
    if (registrationEndpoint) {
      const code = 'dynamic_registration_supported';
      successes.push({ code, description: SUCCESSES[code] });
    } else {
      const code = 'dynamic_registration_not_supported';
      warnings.push({ code, description: WARNINGS[code] });
    }
  }

  const said = verbose ? { successes } : {};
  return errors.length === 0 ? { isValid: true, warnings, ...said } : { isValid: false, errors, warnings, ...said };
}
