package main

import (
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

const (
	resource = "https://mcp.example.com/mcp"
	lifetime = 10 * time.Minute
)

// grant is what a client asked for, and who allowed it.
type grant struct {
	id      string
	client  string
	subject string
	scopes  []string
	expires time.Time
	// request is nil for client credentials.
	request *oidc.AuthRequest
}

func (g *grant) GetID() string          { return g.id }
func (g *grant) GetACR() string         { return "" }
func (g *grant) GetAMR() []string       { return nil }
func (g *grant) GetAuthTime() time.Time { return time.Now() }
func (g *grant) GetClientID() string    { return g.client }
func (g *grant) GetNonce() string       { return g.request.Nonce }
func (g *grant) GetRedirectURI() string { return g.request.RedirectURI }
func (g *grant) GetScopes() []string    { return g.scopes }
func (g *grant) GetState() string       { return g.request.State }
func (g *grant) GetSubject() string     { return g.subject }
func (g *grant) Done() bool             { return g.subject != "" }

func (g *grant) GetResponseType() oidc.ResponseType { return g.request.ResponseType }

func (g *grant) GetResponseMode() oidc.ResponseMode { return g.request.ResponseMode }

// GetAudience names the client and, with the scope mcp, the resource.
func (g *grant) GetAudience() []string {
	if slices.Contains(g.scopes, "mcp") {
		return []string{g.client, resource}
	}
	return []string{g.client}
}

func (g *grant) GetCodeChallenge() *oidc.CodeChallenge {
	return &oidc.CodeChallenge{
		Challenge: g.request.CodeChallenge,
		Method:    g.request.CodeChallengeMethod,
	}
}
