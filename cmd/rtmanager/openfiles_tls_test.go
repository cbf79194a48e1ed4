package main

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/testkit/certtest"
)

// Connections of several addresses that never complete their TLS handshake do not take the
// files that etcd and the audit log need, nor the connections of another address.
func TestHalfOpenConnectionsDoNotUseUpOpenFiles(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a daemon process")
	}
	ca, dir := certtest.NewAuthority(t, "ca"), t.TempDir()
	cert, key := ca.IssueNode(t, "eu/n1").Write(t, dir)
	auditFile := filepath.Join(dir, "audit.log")
	require.NoError(t, os.Chmod(dir, 0o700))
	d := &daemonProcess{t: t, openFiles: 256, flags: []string{
		"--engine", "none", "--region", "eu", "--node", "n1", "--audit-file", auditFile,
		"--tls-cert", cert, "--tls-key", key, "--tls-client-ca", ca.Write(t, dir),
	}}
	d.startFirst()
	for i := range 400 {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i%4))}}
		conn, err := dialer.DialContext(t.Context(), "tcp", d.listen)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = io.WriteString(conn, "\x16\x03\x01\x02\x00\x01") // the daemon may have closed it already
	}

	admin := ca.Issue(t, pkix.Name{CommonName: "ada", Organization: []string{access.AdminsOrganization}})
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{admin.TLS}}, DisableKeepAlives: true}
	client := &http.Client{Transport: transport, Timeout: waitTimeout}
	for i := range 20 {
		url := fmt.Sprintf("https://%s/v1/runtimes/game-%d", d.listen, i)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, strings.NewReader(`{"status":"stopped","region":"eu","node":"n1","current_container_id":"c","current_image_ref":"game:1.2.3",`+
			`"generation":1,"created_at":"2026-01-01T00:00:00Z","last_op_at":"2026-01-01T00:00:00Z","stopped_at":"2026-01-01T00:00:00Z"}`))
		require.NoError(t, err)
		response, err := client.Do(request)
		require.NoError(t, err)
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode, "%s", text)
	}
	text, err := os.ReadFile(auditFile)
	require.NoError(t, err)
	require.Equal(t, 20, strings.Count(string(text), `"actor":"user:ada"`))
}
