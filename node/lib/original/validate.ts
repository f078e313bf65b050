/** What the MCP specification asks of an authorization server. */
import { faultsOf, type ResolvedAuthServerConfig } from './metadata.js';

const SUCCESSES = {
  server_metadata_valid: 'the metadata is well-formed',
  code_response_type_supported: 'the response type `code` is supported',
  authorization_code_grant_supported: 'the grant `authorization_code` is supported',
  pkce_supported: 'PKCE is supported',
  s256_code_challenge_method_supported: 'PKCE with `S256` is supported',
  dynamic_registration_supported: 'clients can register themselves (RFC 7591)',
} as const;

const ERRORS = {
  invalid_server_metadata: 'the metadata is malformed',
  code_response_type_not_supported: 'the response type `code` is not supported',
  authorization_code_grant_not_supported: 'the grant `authorization_code` is not supported',
  pkce_not_supported: 'PKCE is not supported',
  s256_code_challenge_method_not_supported: 'PKCE with `S256` is not supported',
} as const;

const WARNINGS = {
  dynamic_registration_not_supported: 'clients cannot register themselves (RFC 7591)',
} as const;

export type AuthServerSuccessCode = keyof typeof SUCCESSES;
export type AuthServerConfigErrorCode = keyof typeof ERRORS;
export type AuthServerConfigWarningCode = keyof typeof WARNINGS;

interface Finding<Code> {
  code: Code;
  description: string;
}

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
    else errors.push({ code: error, description: ERRORS[error], ...(cause && { cause }) });
  };

  const faults = faultsOf(metadata);
  check(faults.length === 0, 'server_metadata_valid', 'invalid_server_metadata', new Error(faults.join('; ')));
  if (faults.length === 0) {
    const { responseTypesSupported, grantTypesSupported, codeChallengeMethodsSupported: pkce } = metadata;
    const hasCode = responseTypesSupported.some((type) => type.split(' ').includes('code'));
    check(hasCode, 'code_response_type_supported', 'code_response_type_not_supported');
    // RFC 8414 §2: what a server supports that does not say.
    const grants = grantTypesSupported ?? ['authorization_code', 'implicit'];
    const hasGrant = grants.includes('authorization_code');
    check(hasGrant, 'authorization_code_grant_supported', 'authorization_code_grant_not_supported');
    check(pkce !== undefined, 'pkce_supported', 'pkce_not_supported');
    if (pkce) {
      const hasS256 = pkce.includes('S256');
      check(hasS256, 's256_code_challenge_method_supported', 's256_code_challenge_method_not_supported');
    }
    if (metadata.registrationEndpoint) {
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
