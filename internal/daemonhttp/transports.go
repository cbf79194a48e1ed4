package daemonhttp

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/tlsfiles"
)

const (
	// dialTimeout bounds how long another daemon may take to accept a connection.
	dialTimeout = 3 * time.Second
	// maxTransports bounds how many daemons have connections at a time.
	maxTransports = 1024
)

// NewTransport returns a transport without a proxy: requests go to the addresses of daemons only.
// keepAlive is the interval of TCP keepalives.
func NewTransport(config *tls.Config, keepAlive time.Duration) *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}).DialContext,
		TLSClientConfig:     config,
		TLSHandshakeTimeout: dialTimeout,
		MaxIdleConnsPerHost: 32,
		IdleConnTimeout:     30 * time.Second,
		DisableCompression:  true,
	}
}

// VerifyDaemon returns an error unless the certificate is that of a daemon: no other server may
// receive the requests of callers.
func VerifyDaemon(leaf *x509.Certificate) error {
	if !slices.Contains(leaf.Subject.Organization, access.NodesOrganization) {
		return fmt.Errorf("the certificate %q is not that of a daemon, since its organization is not %s", leaf.Subject, access.NodesOrganization)
	}
	return nil
}

// Transports has a transport for each key, such as the address of a daemon. A connection is never
// used for another key: it was verified for one. It is safe for concurrent use.
type Transports[K comparable] struct {
	files tlsfiles.Client

	mu    sync.Mutex
	byKey map[K]*http.Transport
	// leaf and roots are those of the connections of byKey.
	leaf  *x509.Certificate
	roots *x509.CertPool
}

// NewTransports returns an empty set of transports for connections with the files.
func NewTransports[K comparable](files tlsfiles.Client) *Transports[K] {
	return &Transports[K]{files: files}
}

// Get returns the transport of a key, which create creates if there is none.
func (t *Transports[K]) Get(key K, create func() (*http.Transport, error)) (*http.Transport, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clearAfterChange()
	if transport := t.byKey[key]; transport != nil {
		return transport, nil
	}
	transport, err := create()
	if err != nil {
		return nil, err
	}
	if len(t.byKey) >= maxTransports {
		t.clear()
	}
	if t.byKey == nil {
		t.byKey = map[K]*http.Transport{}
	}
	t.byKey[key] = transport
	return transport, nil
}

// CloseIdle closes the connections that no request uses.
func (t *Transports[K]) CloseIdle() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clear()
}

// clearAfterChange removes all transports if the certificate of this daemon or the authorities have
// changed: a connection keeps those of its handshake, and the other daemon may not accept the
// previous certificate any more. The caller holds the mutex.
func (t *Transports[K]) clearAfterChange() {
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

// clear removes all transports. Requests in progress continue. The caller holds the mutex.
func (t *Transports[K]) clear() {
	for _, transport := range t.byKey {
		transport.CloseIdleConnections()
	}
	t.byKey = nil
}
