package command_test

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/chaos/command"
)

// startServer starts an HTTPS server that describes itself as a daemon of the store to callers with the token.
func startServer(t *testing.T, node, store string) *httptest.Server {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			http.Error(w, "no token", http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"region": "eu", "node": node, "store_id": store, "version": "1.2.3"})
	}))
	t.Cleanup(server.Close)
	return server
}

func TestDaemonsAreReachedWithCredentials(t *testing.T) {
	t.Parallel()
	first, second, foreign := startServer(t, "eu-1", "a"), startServer(t, "eu-2", "a"), startServer(t, "eu-3", "b")
	dir := t.TempDir()
	token, ca := filepath.Join(dir, "token"), filepath.Join(dir, "ca.crt")
	require.NoError(t, os.WriteFile(token, []byte("secret\n"), 0o600))
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: first.Certificate().Raw}), 0o600))
	one, two, three := "--daemon=eu/eu-1="+first.URL, "--daemon=eu/eu-2="+second.URL, "--daemon=eu/eu-3="+foreign.URL
	for name, c := range map[string]struct {
		arguments []string
		message   string
	}{
		"credentials":          {[]string{one, two, "--cacert", ca, "--token-file", token}, "add --yes"},
		"no token":             {[]string{one, "--cacert", ca}, "responded with 401: no token"},
		"no CA":                {[]string{one, "--token-file", token}, "certificate"},
		"two stores":           {[]string{one, three, "--cacert", ca, "--token-file", token}, "different stores"},
		"certificate of no CA": {[]string{one, "--cacert", token, "--token-file", token}, "has no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := chaos(t, append([]string{"run"}, c.arguments...)...)
			require.Equal(t, command.ExitVoid, code)
			require.Contains(t, stderr, c.message)
			if name == "credentials" {
				require.Contains(t, stdout, "on store a of version 1.2.3")
			}
			require.NotContains(t, stdout+stderr, "secret")
		})
	}
}
