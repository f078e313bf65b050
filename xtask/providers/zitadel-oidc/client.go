package main

import (
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// clients are the registered ones. The secret of each is its id and "-secret".
var clients = map[string]*client{
	"machine":             {id: "machine", tokens: op.AccessTokenTypeJWT, method: oidc.AuthMethodPost},
	"machine-opaque":      {id: "machine-opaque", tokens: op.AccessTokenTypeBearer, method: oidc.AuthMethodPost},
	exchanger:             {id: exchanger, tokens: op.AccessTokenTypeJWT, method: oidc.AuthMethodBasic},
	"app":                 {id: "app", tokens: op.AccessTokenTypeJWT, method: oidc.AuthMethodNone},
	"app-opaque":          {id: "app-opaque", tokens: op.AccessTokenTypeBearer, method: oidc.AuthMethodNone},
	"resource-server":     {id: "resource-server", method: oidc.AuthMethodBasic},
	"resource-server-key": {id: "resource-server-key", method: oidc.AuthMethodPrivateKeyJWT},
}

type client struct {
	id     string
	tokens op.AccessTokenType
	method oidc.AuthMethod
}

func (c *client) GetID() string                       { return c.id }
func (c *client) RedirectURIs() []string              { return []string{"http://127.0.0.1/callback"} }
func (c *client) PostLogoutRedirectURIs() []string    { return nil }
func (c *client) ApplicationType() op.ApplicationType { return op.ApplicationTypeNative }
func (c *client) AuthMethod() oidc.AuthMethod         { return c.method }
func (c *client) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}
func (c *client) LoginURL(id string) string            { return "/login?id=" + id }
func (c *client) AccessTokenType() op.AccessTokenType  { return c.tokens }
func (c *client) IDTokenLifetime() time.Duration       { return lifetime }
func (c *client) DevMode() bool                        { return false }
func (c *client) IsScopeAllowed(scope string) bool     { return scope == "mcp" || scope == "reports" }
func (c *client) IDTokenUserinfoClaimsAssertion() bool { return false }
func (c *client) ClockSkew() time.Duration             { return 0 }

func (c *client) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeClientCredentials}
}

func (c *client) RestrictAdditionalIdTokenScopes() func([]string) []string { return same }

func (c *client) RestrictAdditionalAccessTokenScopes() func([]string) []string { return same }

func same(scopes []string) []string { return scopes }
