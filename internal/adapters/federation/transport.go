package federation

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/tlsfiles"
)

// dialTimeout bounds how long a daemon may take to accept a connection.
const dialTimeout = 3 * time.Second

// transports has a transport for each URL. It is safe for concurrent use.
type transports struct {
	files       tlsfiles.Client
	requireNode bool

	mu    sync.Mutex
	byURL map[string]*http.Transport
	// leaf and roots are those of the connections of byURL.
	leaf  *x509.Certificate
	roots *x509.CertPool
}

// of returns the transport to a URL.
func (t *transports) of(base string) (http.RoundTripper, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clearAfterChange()
	if transport := t.byURL[base]; transport != nil {
		return transport, nil
	}
	address, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	if t.requireNode && address.Scheme != "https" {
		return nil, fmt.Errorf("the URL %s is not https, and this daemon sends requests to verified daemons only", base)
	}
	var verify func(*x509.Certificate) error
	if t.requireNode {
		verify = verifyDaemon
	}
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:     t.files.Config(address.Hostname(), verify),
		TLSHandshakeTimeout: dialTimeout,
		MaxIdleConnsPerHost: 32,
		IdleConnTimeout:     30 * time.Second,
		DisableCompression:  true,
	}
	if t.byURL == nil {
		t.byURL = map[string]*http.Transport{}
	}
	t.byURL[base] = transport
	return transport, nil
}

// verifyDaemon returns an error unless the certificate is that of a daemon: no other server may
// receive the requests of callers.
func verifyDaemon(leaf *x509.Certificate) error {
	if !slices.Contains(leaf.Subject.Organization, access.NodesOrganization) {
		return fmt.Errorf("the certificate %q is not that of a daemon, since its organization is not %s", leaf.Subject, access.NodesOrganization)
	}
	return nil
}

// clearAfterChange removes all transports if the certificate of this daemon or the authorities
// have changed: a connection keeps those of its handshake. The caller holds the mutex.
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
	for _, transport := range t.byURL {
		transport.CloseIdleConnections()
	}
	t.byURL = nil
}
