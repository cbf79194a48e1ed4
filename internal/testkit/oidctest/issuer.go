package oidctest

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

// The paths of the issuer.
const (
	DiscoveryPath = "/.well-known/openid-configuration"
	KeysPath      = "/keys"
	TokenPath     = "/token"
	DevicePath    = "/device"
	RevokePath    = "/revoke"
)

// ClientID is the client id that the device flow expects. It is also the audience of the
// tokens that the flow issues.
const ClientID = "rtmanager"

// Issuer is a running issuer. It is safe for concurrent use.
type Issuer struct {
	t      testing.TB
	server *httptest.Server

	mu       sync.Mutex
	keys     []key
	faults   map[string]http.HandlerFunc
	requests map[string]int
	devices  devices
}

// New returns an issuer that serves http on a loopback address until the test ends.
func New(t testing.TB) *Issuer { return start(t, (*httptest.Server).Start) }

// NewTLS returns an issuer that serves https with a certificate that WriteCA writes.
func NewTLS(t testing.TB) *Issuer { return start(t, (*httptest.Server).StartTLS) }

func start(t testing.TB, run func(*httptest.Server)) *Issuer {
	t.Helper()
	i := &Issuer{t: t, faults: map[string]http.HandlerFunc{}, requests: map[string]int{}, devices: newDevices()}
	i.RotateKeys()
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+DiscoveryPath, i.serveDiscovery)
	mux.HandleFunc("GET "+KeysPath, i.serveKeys)
	mux.HandleFunc("POST "+DevicePath, i.serveDevice)
	mux.HandleFunc("POST "+TokenPath, i.serveToken)
	mux.HandleFunc("POST "+RevokePath, i.serveRevoke)
	i.server = httptest.NewUnstartedServer(i.withFaults(mux))
	run(i.server)
	t.Cleanup(i.server.Close)
	return i
}

// URL returns the issuer's URL, as its tokens name it.
func (i *Issuer) URL() string { return i.server.URL }

// WriteCA writes the certificate that verifies an https issuer to a file, and returns the
// name of the file.
func (i *Issuer) WriteCA() string {
	i.t.Helper()
	name := filepath.Join(i.t.TempDir(), "issuer-ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: i.server.Certificate().Raw}
	require.NoError(i.t, os.WriteFile(name, pem.EncodeToMemory(block), 0o600))
	return name
}

// Fail lets the handler serve a path from now on; nil ends that.
func (i *Issuer) Fail(path string, handler http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.faults[path] = handler
}

// FailAll lets the handler serve every path from now on; nil ends that.
func (i *Issuer) FailAll(handler http.HandlerFunc) {
	for _, path := range []string{DiscoveryPath, KeysPath, TokenPath, DevicePath, RevokePath} {
		i.Fail(path, handler)
	}
}

// Requests returns how many requests of a path the issuer has received.
func (i *Issuer) Requests(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.requests[path]
}

// withFaults counts each request, and serves the faults of Fail.
func (i *Issuer) withFaults(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		i.requests[r.URL.Path]++
		fault := i.faults[r.URL.Path]
		i.mu.Unlock()
		if fault != nil {
			fault(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Document returns the discovery document, for a test that changes it.
func (i *Issuer) Document() map[string]any {
	return map[string]any{
		"issuer": i.URL(), "jwks_uri": i.URL() + KeysPath, "token_endpoint": i.URL() + TokenPath,
		"device_authorization_endpoint": i.URL() + DevicePath, "revocation_endpoint": i.URL() + RevokePath,
		"id_token_signing_alg_values_supported": []string{"RS256", "ES256"}, "scopes_supported": []string{"openid", "offline_access"},
	}
}

func (i *Issuer) serveDiscovery(w http.ResponseWriter, _ *http.Request) {
	WriteJSON(w, http.StatusOK, i.Document())
}

func (i *Issuer) serveKeys(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, k := range i.keys {
		set.Keys = append(set.Keys, k.public())
	}
	WriteJSON(w, http.StatusOK, set)
}

// WriteJSON writes a response.
func WriteJSON(w http.ResponseWriter, status int, document any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(document)
}
