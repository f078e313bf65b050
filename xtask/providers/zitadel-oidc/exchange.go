package main

import (
	"context"
	"slices"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const (
	// exchanger may exchange tokens for reports.
	exchanger = "tools"
	reports   = "https://reports.example.com"
)

// ValidateTokenExchangeRequest gives the scope reports for tokens of the resource, to reach the API of that name, and nothing
// else. The library has found out that the subject's token and the actor's hold.
func (s *storage) ValidateTokenExchangeRequest(_ context.Context, request op.TokenExchangeRequest) error {
	if request.GetRequestedTokenType() == "" {
		request.SetRequestedTokenType(oidc.AccessTokenType)
	}
	if request.GetRequestedTokenType() != oidc.AccessTokenType {
		return oidc.ErrInvalidRequest().WithDescription("only access tokens are issued")
	}
	if request.GetClientID() != exchanger {
		return oidc.ErrUnauthorizedClient()
	}
	for _, target := range append(request.GetAudience(), request.GetResourses()...) {
		if target != reports {
			return oidc.ErrInvalidTarget().WithDescription("the client may not reach this")
		}
	}
	for _, scope := range request.GetScopes() {
		if scope != "reports" {
			return oidc.ErrInvalidScope()
		}
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	subject, err := find(s.tokens, request.GetExchangeSubjectTokenIDOrToken())
	if err != nil || !slices.Contains(subject.GetAudience(), resource) {
		return oidc.ErrInvalidRequest().WithDescription("subject_token is not for this client")
	}
	return nil
}

func (s *storage) CreateTokenExchangeRequest(context.Context, op.TokenExchangeRequest) error {
	return nil
}

// GetPrivateClaimsFromTokenExchangeRequest adds who acts (RFC 8693 section 4.1), and the scopes.
func (s *storage) GetPrivateClaimsFromTokenExchangeRequest(ctx context.Context, request op.TokenExchangeRequest) (map[string]any, error) {
	claims, err := s.GetPrivateClaimsFromScopes(ctx, "", "", request.GetScopes())
	if actor := request.GetExchangeActor(); actor != "" {
		claims["act"] = map[string]any{"sub": actor}
	}
	return claims, err
}

func (s *storage) SetUserinfoFromTokenExchangeRequest(context.Context, *oidc.UserInfo, op.TokenExchangeRequest) error {
	return nil
}

// grantOf is a copy of the grant of a request for a token, or one that is made of an exchange.
func grantOf(request op.TokenRequest) (*grant, error) {
	switch request := request.(type) {
	case *grant:
		copied := *request
		return &copied, nil
	case op.TokenExchangeRequest:
		return &grant{client: request.GetClientID(), subject: request.GetSubject(), scopes: request.GetScopes()}, nil
	default:
		return nil, errUnsupported
	}
}
