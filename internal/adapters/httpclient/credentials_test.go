package httpclient_test

import (
	"context"
	"crypto/tls"
	"crypto/x509/pkix"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/certtest"
)

func staticToken(token string) httpclient.Credentials {
	return httpclient.Credentials{Token: func(context.Context) (string, error) { return token, nil }}
}

func TestEachRequestHasTheCurrentToken(t *testing.T) {
	t.Parallel()
	var current atomic.Value
	current.Store("first")
	var received []string
	credentials := httpclient.Credentials{Token: func(context.Context) (string, error) { return current.Load().(string), nil }}
	client, _ := scriptedClient(t, httpclient.Config{Credentials: credentials}, func(s exchange) {
		received = append(received, s.r.Header.Get("Authorization"))
		s.w.WriteHeader(http.StatusTeapot)
	})
	for _, token := range []string{"first", "second", ""} {
		current.Store(token)
		_, err := client.Info(t.Context())
		require.Error(t, err)
	}
	require.Equal(t, []string{"Bearer first", "Bearer second", ""}, received)
}

func TestATokenIsNotSentWithoutEncryption(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"http://192.0.2.1:8080", "http://daemon.example:8080", "http://localhost.example"} {
		client, err := httpclient.New(server, httpclient.Config{Credentials: staticToken("secret")})
		require.NoError(t, err)
		_, err = client.Info(t.Context())
		require.ErrorIs(t, err, httpclient.ErrUnencrypted, server)
		require.NotContains(t, err.Error(), "secret")
		_, err = client.Transition(t.Context(), stop("game-1"))
		require.ErrorIs(t, err, httpclient.ErrUnencrypted, server)
		for _, err := range client.Watch(t.Context(), ports.WatchOptions{}) {
			require.ErrorIs(t, err, httpclient.ErrUnencrypted, server)
		}
	}
	// It can be allowed explicitly. The connection then fails.
	credentials := staticToken("secret")
	credentials.AllowUnencrypted = true
	client, err := httpclient.New("http://localhost.invalid:1", httpclient.Config{Credentials: credentials})
	require.NoError(t, err)
	_, err = client.Info(t.Context())
	require.ErrorIs(t, err, runtime.ErrUnavailable)
}

func TestATokenDoesNotFollowARedirect(t *testing.T) {
	t.Parallel()
	var stolen atomic.Bool
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { stolen.Store(r.Header.Get("Authorization") != "") }))
	t.Cleanup(thief.Close)
	client, _ := scriptedClient(t, httpclient.Config{Credentials: staticToken("secret")}, func(s exchange) {
		http.Redirect(s.w, s.r, thief.URL+s.r.URL.Path, http.StatusTemporaryRedirect)
	})
	_, err := client.Info(t.Context())
	require.ErrorIs(t, err, httpclient.ErrNotAPI)
	_, err = client.Transition(t.Context(), stop("game-1"))
	require.Error(t, err)
	require.False(t, stolen.Load())
}

func TestAMissingTokenEndsTheRequest(t *testing.T) {
	t.Parallel()
	missing := errors.New("read token: no such file")
	credentials := httpclient.Credentials{Token: func(context.Context) (string, error) { return "", missing }}
	client, requests := scriptedClient(t, httpclient.Config{Credentials: credentials}, func(exchange) {})
	_, err := client.Info(t.Context())
	require.ErrorIs(t, err, missing)
	require.NotErrorIs(t, err, runtime.ErrUnavailable)
	require.Zero(t, requests.Load())
}

// A write that may have been applied is not retried without credentials.
func TestAWriteEndsWithItsToken(t *testing.T) {
	t.Parallel()
	attempts := 0
	credentials := httpclient.Credentials{Token: func(context.Context) (string, error) {
		if attempts++; attempts > 1 {
			return "", errors.New("the login has expired")
		}
		return "valid", nil
	}}
	client, _ := scriptedClient(t, httpclient.Config{Credentials: credentials}, func(s exchange) { s.w.WriteHeader(http.StatusBadGateway) })
	_, err := client.Transition(t.Context(), stop("game-1"))
	require.ErrorIs(t, err, runtime.ErrOutcomeUnknown)
	require.ErrorContains(t, err, "the login has expired")
}

// A watch whose client certificate has expired continues with the current one, on a new
// connection.
func TestAWatchContinuesWithTheCurrentCertificate(t *testing.T) {
	t.Parallel()
	authority := certtest.NewAuthority(t, "test")
	var mu sync.Mutex
	var names []string
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		names = append(names, r.Proto+" "+r.TLS.PeerCertificates[0].Subject.CommonName)
		n := len(names)
		mu.Unlock()
		s := exchange{t, w, r}
		if n == 3 {
			sendProblem(s, problemOf(401, api.CodeUnauthenticated))
			return
		}
		s.openStream("store").sendEvents(api.Event{Type: string(ports.EventSynced), Revision: int64(n), Last: true}).sendFinalError(401, api.CodeUnauthenticated)
	}))
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{
		Certificates: []tls.Certificate{authority.Issue(t, pkix.Name{CommonName: "server"}).TLS}, ClientCAs: authority.Pool(), ClientAuth: tls.RequireAndVerifyClientCert,
	}
	server.StartTLS()
	t.Cleanup(server.Close)

	certificates := []tls.Certificate{authority.Issue(t, pkix.Name{CommonName: "first"}).TLS, authority.Issue(t, pkix.Name{CommonName: "next"}).TLS}
	cfg := fastRetries()
	cfg.Credentials.TLS = &tls.Config{RootCAs: authority.Pool(), GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		mu.Lock()
		defer mu.Unlock()
		return &certificates[min(len(names), 1)], nil
	}}
	client, err := httpclient.New(server.URL, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	for _, watchErr := range client.Watch(t.Context(), ports.WatchOptions{}) {
		err = watchErr
	}
	require.ErrorIs(t, err, access.ErrUnauthenticated)
	require.Equal(t, []string{"HTTP/2.0 first", "HTTP/2.0 next", "HTTP/2.0 next"}, names)
}
