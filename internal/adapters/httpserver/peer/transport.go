package peer

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/tlsfiles"
)

// maxTransports bounds how many nodes have connections at a time.
const maxTransports = 1024

// transports has a transport for each node. A connection is never used for another node: it
// was verified for one. It is safe for concurrent use.
type transports struct {
	files         tlsfiles.Client
	requireNodeID bool

	mu     sync.Mutex
	byNode map[transportKey]*http.Transport
	// leaf and roots are those of the connections of byNode.
	leaf  *x509.Certificate
	roots *x509.CertPool
}

// transportKey names the connections to one address of a node.
type transportKey struct {
	ref node.Ref
	api string
}

// of returns the transport to a node.
func (t *transports) of(target node.Node) (http.RoundTripper, error) {
	key := transportKey{target.Ref(), target.API}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clearAfterChange()
	if transport := t.byNode[key]; transport != nil {
		return transport, nil
	}
	transport, err := t.newTransport(target)
	if err != nil {
		return nil, err
	}
	if len(t.byNode) >= maxTransports {
		t.clear()
	}
	if t.byNode == nil {
		t.byNode = map[transportKey]*http.Transport{}
	}
	t.byNode[key] = transport
	return transport, nil
}

// newTransport returns a transport without a proxy: requests go to addresses of the node
// registry only.
func (t *transports) newTransport(target node.Node) (*http.Transport, error) {
	address, err := url.Parse(target.API)
	if err != nil {
		return nil, err
	}
	if t.requireNodeID && address.Scheme != "https" {
		return nil, fmt.Errorf("its address %s is not https, and this daemon sends requests to verified daemons only; start that daemon with --tls-cert", target.API)
	}
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: 5 * time.Second}).DialContext,
		TLSClientConfig:     t.config(address.Hostname(), target.Ref()),
		TLSHandshakeTimeout: dialTimeout,
		MaxIdleConnsPerHost: 32,
		IdleConnTimeout:     30 * time.Second,
		DisableCompression:  true,
	}, nil
}

// config returns the TLS settings for connections to a node.
func (t *transports) config(host string, ref node.Ref) *tls.Config {
	var verify func(*x509.Certificate) error
	if t.requireNodeID {
		verify = func(leaf *x509.Certificate) error { return verifyNode(leaf, ref) }
	}
	return t.files.Config(host, verify)
}

// verifyNode returns an error unless the certificate is that of the node. A daemon of another
// node, or a server that has taken the address of the node, must not receive its requests.
func verifyNode(leaf *x509.Certificate, ref node.Ref) error {
	if !slices.Contains(leaf.Subject.Organization, access.NodesOrganization) {
		return fmt.Errorf("the certificate %q is not that of a daemon, since its organization is not %s", leaf.Subject, access.NodesOrganization)
	}
	if leaf.Subject.CommonName != ref.String() {
		return fmt.Errorf("the certificate is that of node %q, not of %s", leaf.Subject.CommonName, ref)
	}
	return nil
}

// clearAfterChange removes all transports if the certificate of this daemon or the authorities have
// changed: a connection keeps those of its handshake, and the other node may not accept the previous
// certificate any more. The caller holds the mutex.
func (t *transports) clearAfterChange() {
	leaf, roots := t.leaf, t.roots
	if t.files.Cert != nil {
		leaf = t.files.Cert.Current().Leaf
	}
	if t.files.Roots != nil {
		roots = t.files.Roots.Current()
	}
	if !leaf.Equal(t.leaf) || !roots.Equal(t.roots) {
		t.clear()
	}
	t.leaf, t.roots = leaf, roots
}

// closeIdle closes the connections that no request uses.
func (t *transports) closeIdle() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clear()
}

// clear removes all transports. Requests in progress continue. The caller holds the mutex.
func (t *transports) clear() {
	for _, transport := range t.byNode {
		transport.CloseIdleConnections()
	}
	t.byNode = nil
}
