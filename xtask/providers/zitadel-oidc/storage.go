package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

var (
	errUnknown     = errors.New("unknown")
	errUnsupported = errors.New("not supported")
)

// storage keeps everything in memory: op.Storage and op.ClientCredentialsStorage.
type storage struct {
	issuer string

	lock      sync.Mutex
	requests  map[string]*grant
	codes     map[string]*grant
	tokens    map[string]*grant
	keys      []*key // the newest first
	clientKey any
}

func newStorage(issuer string) *storage {
	s := &storage{
		issuer:   issuer,
		requests: map[string]*grant{},
		codes:    map[string]*grant{},
		tokens:   map[string]*grant{},
	}
	s.rotate(false)
	return s
}

func (s *storage) rotate(forget bool) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	check(err)
	s.lock.Lock()
	defer s.lock.Unlock()
	if forget {
		s.keys = nil
	}
	s.keys = append([]*key{{id: rand.Text(), private: private}}, s.keys...)
}

func (s *storage) setClientKey(key any) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.clientKey = key
}

func (s *storage) signIn(id, subject string) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	request, err := find(s.requests, id)
	if err == nil {
		request.subject = subject
	}
	return err
}

func (s *storage) CreateAuthRequest(_ context.Context, request *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	g := &grant{id: rand.Text(), client: request.ClientID, scopes: request.Scopes, request: request}
	s.requests[g.id] = g
	return g, nil
}

func (s *storage) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	return find(s.requests, id)
}

func (s *storage) AuthRequestByCode(_ context.Context, code string) (op.AuthRequest, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	return find(s.codes, code)
}

func (s *storage) SaveAuthCode(_ context.Context, id, code string) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	request, err := find(s.requests, id)
	if err == nil {
		s.codes[code] = request
	}
	return err
}

func (s *storage) DeleteAuthRequest(_ context.Context, id string) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	delete(s.requests, id)
	for code, request := range s.codes {
		if request.id == id {
			delete(s.codes, code)
		}
	}
	return nil
}

func (s *storage) CreateAccessToken(_ context.Context, request op.TokenRequest) (string, time.Time, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	token, err := grantOf(request)
	if err != nil {
		return "", time.Time{}, err
	}
	token.expires = time.Now().Add(lifetime)
	id := rand.Text()
	s.tokens[id] = token
	return id, token.expires, nil
}

func (s *storage) RevokeToken(_ context.Context, id, _, _ string) *oidc.Error {
	s.lock.Lock()
	defer s.lock.Unlock()
	delete(s.tokens, id)
	return nil
}

func (s *storage) SetIntrospectionFromToken(_ context.Context, answer *oidc.IntrospectionResponse, id, _, asking string) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	token, err := find(s.tokens, id)
	if err != nil || !strings.HasPrefix(asking, "resource-server") {
		return errUnknown
	}
	answer.Issuer = s.issuer
	answer.Subject = token.subject
	answer.ClientID = token.client
	answer.Audience = token.GetAudience()
	answer.Scope = token.scopes
	answer.Expiration = oidc.FromTime(token.expires)
	return nil
}

func (s *storage) SigningKey(context.Context) (op.SigningKey, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	return signingKey{s.keys[0]}, nil
}

func (s *storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

func (s *storage) KeySet(context.Context) ([]op.Key, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	keys := make([]op.Key, 0, len(s.keys))
	for _, key := range s.keys {
		keys = append(keys, key)
	}
	return keys, nil
}

func (s *storage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	return find(clients, id)
}

func (s *storage) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	if _, err := find(clients, id); err != nil || secret != id+"-secret" {
		return errUnknown
	}
	return nil
}

func (s *storage) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	if err := s.AuthorizeClientIDSecret(ctx, id, secret); err != nil {
		return nil, err
	}
	return find(clients, id)
}

func (s *storage) ClientCredentialsTokenRequest(_ context.Context, id string, scopes []string) (op.TokenRequest, error) {
	return &grant{client: id, subject: id, scopes: scopes}, nil
}

// GetPrivateClaimsFromScopes adds the scopes, which the library leaves out.
func (s *storage) GetPrivateClaimsFromScopes(_ context.Context, _, _ string, scopes []string) (map[string]any, error) {
	return map[string]any{"scope": strings.Join(scopes, " ")}, nil
}

func (s *storage) GetKeyByIDAndClientID(_ context.Context, id, client string) (*jose.JSONWebKey, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if client != "resource-server-key" || s.clientKey == nil {
		return nil, errUnknown
	}
	return &jose.JSONWebKey{KeyID: id, Use: "sig", Key: s.clientKey}, nil
}

func (s *storage) Health(context.Context) error { return nil }

// What the tests do not use.

func (s *storage) CreateAccessAndRefreshTokens(context.Context, op.TokenRequest, string) (string, string, time.Time, error) {
	return "", "", time.Time{}, errUnsupported
}

func (s *storage) TokenRequestByRefreshToken(context.Context, string) (op.RefreshTokenRequest, error) {
	return nil, errUnsupported
}

func (s *storage) TerminateSession(context.Context, string, string) error { return errUnsupported }

func (s *storage) GetRefreshTokenInfo(context.Context, string, string) (string, string, error) {
	return "", "", op.ErrInvalidRefreshToken
}

func (s *storage) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil
}

func (s *storage) SetUserinfoFromToken(context.Context, *oidc.UserInfo, string, string, string) error {
	return errUnsupported
}

func (s *storage) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, errUnsupported
}

// key is published; signingKey is the same with its private half.
type key struct {
	id      string
	private *rsa.PrivateKey
}

func (k *key) ID() string                         { return k.id }
func (k *key) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k *key) Use() string                        { return "sig" }
func (k *key) Key() any                           { return &k.private.PublicKey }

type signingKey struct{ *key }

func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k signingKey) Key() any                                    { return k.private }

func find[T any](items map[string]*T, id string) (*T, error) {
	if item, ok := items[id]; ok {
		return item, nil
	}
	return nil, errUnknown
}
