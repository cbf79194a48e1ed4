package peer_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver/peer"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/certtest"
	"galaxy/rtmanager/internal/tlsfiles"
)

// otherDaemon is a server in the place of another daemon. It counts the requests and their
// client certificates.
type otherDaemon struct {
	*httptest.Server
	requests int
	client   string // common name of the last client certificate
}

func startOther(t *testing.T, leaf certtest.Leaf, clientCAs *x509.CertPool) *otherDaemon {
	t.Helper()
	d := &otherDaemon{}
	d.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.requests++
		d.client = ""
		if len(r.TLS.PeerCertificates) > 0 {
			d.client = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(drift.Report{Findings: []drift.Finding{}, Brakes: []drift.Brake{}, Missing: []drift.UnreachableNode{}})
	}))
	d.TLS = &tls.Config{Certificates: []tls.Certificate{leaf.TLS}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: clientCAs}
	d.StartTLS()
	t.Cleanup(d.Close)
	return d
}

// A request goes to a server only if its certificate is that of the target node, from the
// right authority and valid now. A name in the DNS or an address is not enough.
func TestNodesAreVerified(t *testing.T) {
	t.Parallel()
	ca, other := certtest.NewAuthority(t, "ca"), certtest.NewAuthority(t, "other")
	dir := t.TempDir()
	certFile, keyFile := ca.IssueNode(t, "eu/self").Write(t, dir)
	cert, err := tlsfiles.OpenKeyPair(certFile, keyFile, nil)
	require.NoError(t, err)
	roots, err := tlsfiles.OpenPool(ca.Write(t, dir), nil)
	require.NoError(t, err)
	client := peer.New(peer.Config{
		Self: node.Ref{Region: "eu", Name: "self"}, TLS: tlsfiles.Client{Roots: roots, Cert: cert}, RequireNodeIdentity: true,
	})
	t.Cleanup(client.CloseIdleConnections)
	withoutNames := func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"eu-2.example"}, nil }
	admin := pkix.Name{CommonName: "eu/two", Organization: []string{"rtmanager:admins"}}
	for name, c := range map[string]struct {
		leaf certtest.Leaf
		want string
	}{
		"the node":          {ca.IssueNode(t, "eu/two"), ""},
		"another node":      {ca.IssueNode(t, "eu/three"), `the certificate is that of node "eu/three", not of eu/two`},
		"another region":    {ca.IssueNode(t, "us/two"), `the certificate is that of node "us/two", not of eu/two`},
		"an administrator":  {ca.Issue(t, admin), "is not that of a daemon, since its organization is not rtmanager:nodes"},
		"another authority": {other.IssueNode(t, "eu/two"), "signed by unknown authority"},
		"another host":      {ca.IssueNode(t, "eu/two", withoutNames), "x509: cannot validate certificate for 127.0.0.1"},
		"expired":           {ca.IssueNode(t, "eu/two", certtest.Expired), "certificate has expired or is not yet valid"},
		"not yet valid":     {ca.IssueNode(t, "eu/two", certtest.NotYetValid), "certificate has expired or is not yet valid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := startOther(t, c.leaf, ca.Pool())
			target := node.Node{Region: "eu", Name: "two", API: server.URL}
			_, err := client.Drift(t.Context(), target)
			if c.want == "" {
				require.NoError(t, err)
				require.Equal(t, "eu/self", server.client, "this daemon proves its own identity")
				return
			}
			var unreachable *node.UnreachableError
			require.ErrorAs(t, err, &unreachable)
			require.ErrorContains(t, err, c.want)
			require.Zero(t, server.requests)

			_, err = client.ApplyDrift(t.Context(), target, nil, "ada")
			require.ErrorAs(t, err, &unreachable)
			require.NotErrorIs(t, err, runtime.ErrOutcomeUnknown, "the server has not received the request")
			require.Zero(t, server.requests)
		})
	}
}

// Connections to one node are not used for another one that has taken its address.
func TestConnectionsBelongToOneNode(t *testing.T) {
	t.Parallel()
	ca := certtest.NewAuthority(t, "ca")
	roots, err := tlsfiles.OpenPool(ca.Write(t, t.TempDir()), nil)
	require.NoError(t, err)
	server := startOther(t, ca.IssueNode(t, "eu/two"), nil)
	client := peer.New(peer.Config{TLS: tlsfiles.Client{Roots: roots}, RequireNodeIdentity: true})
	t.Cleanup(client.CloseIdleConnections)
	_, err = client.Drift(t.Context(), node.Node{Region: "eu", Name: "two", API: server.URL})
	require.NoError(t, err)
	_, err = client.Drift(t.Context(), node.Node{Region: "eu", Name: "three", API: server.URL})
	require.ErrorContains(t, err, `the certificate is that of node "eu/two", not of eu/three`)
	require.Equal(t, 1, server.requests)
}

func TestNodesWithoutTLSAreNotCalled(t *testing.T) {
	t.Parallel()
	ca := certtest.NewAuthority(t, "ca")
	server := startOther(t, ca.IssueNode(t, "eu/two"), nil)
	target := node.Node{Region: "eu", Name: "two", API: strings.Replace(server.URL, "https:", "http:", 1)}
	_, err := peer.New(peer.Config{RequireNodeIdentity: true}).Drift(t.Context(), target)
	require.ErrorContains(t, err, "is not https, and this daemon sends requests to verified daemons only; start that daemon with --tls-cert")
	require.Zero(t, server.requests)
}
