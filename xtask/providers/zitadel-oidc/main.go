// An OpenID provider made with github.com/zitadel/oidc, on loopback and in memory, with new keys at
// every start. For tests only.
//
// It prints {"issuer": …} when it listens, and ends when its standard input is closed. Whoever asks
// for the scope mcp gets tokens for the resource of the tests, and the client tools may exchange these
// for the scope reports (exchange.go). The clients are in client.go; anyone may sign in as anyone. Of its own:
//
//	POST /test/key      a public key (PEM) for the client resource-server-key
//	POST /test/rotate   a new signing key; with ?forget the old ones are published no longer
package main

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"html/template"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/zitadel/oidc/v3/pkg/op"
)

var page = template.Must(template.New("page").Parse(
	`<form action="/login" method="post"><input type="hidden" name="id" value="{{.}}"><input name="username"></form>`,
))

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	issuer := fmt.Sprintf("http://%s", listener.Addr())
	store := newStorage(issuer)
	provider, err := op.NewProvider(&op.Config{
		CryptoKey:               [32]byte([]byte(rand.Text() + rand.Text())),
		CryptoKeyId:             "opaque",
		CodeMethodS256:          true,
		AuthMethodPost:          true,
		AuthMethodPrivateKeyJWT: true,
	}, store, op.StaticIssuer(issuer), op.WithAllowInsecure())
	check(err)

	http.Handle("/", provider)
	http.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		check(page.Execute(w, r.FormValue("id")))
	})
	http.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		id := r.FormValue("id")
		if err := store.signIn(id, r.FormValue("username")); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		ctx := op.ContextWithIssuer(r.Context(), issuer)
		http.Redirect(w, r, op.AuthCallbackURL(provider)(ctx, id), http.StatusFound)
	})
	http.HandleFunc("POST /test/key", func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		check(err)
		block, _ := pem.Decode(text)
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		check(err)
		store.setClientKey(key)
	})
	http.HandleFunc("POST /test/rotate", func(w http.ResponseWriter, r *http.Request) {
		store.rotate(r.URL.Query().Has("forget"))
	})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Printf("{\"issuer\": %q}\n", issuer)
	check(http.Serve(listener, nil))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
