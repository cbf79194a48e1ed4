package callers

import (
	"crypto/x509"
	"net/http"
	"slices"
	"time"

	"galaxy/rtmanager/internal/domain/access"
)

// Authority reports whether client certificates of an authority are accepted now. It is safe
// for concurrent use. A nil Authority accepts all.
type Authority func(authority *x509.Certificate) bool

// ErrStaleCertificate is the error of a client certificate that was accepted when its connection was
// opened, and is not any more. It is access.ErrUnauthenticated.
var ErrStaleCertificate error = &access.UnauthenticatedError{Reason: "the client certificate has expired, or its authority is not accepted any more"}

// certificatesOf returns the verified chain of the client certificate, leaf first, and none
// without a certificate. The handshake of a connection may be long ago: a chain that has
// expired since, or whose authority was removed, is not accepted.
func (a Authority) certificatesOf(r *http.Request) ([]*x509.Certificate, error) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return nil, nil
	}
	i := slices.IndexFunc(r.TLS.VerifiedChains, a.accepts)
	if i < 0 {
		return nil, ErrStaleCertificate
	}
	return r.TLS.VerifiedChains[i], nil
}

// accepts reports whether the chain is valid now.
func (a Authority) accepts(chain []*x509.Certificate) bool {
	now := time.Now()
	isExpired := slices.ContainsFunc(chain, func(c *x509.Certificate) bool { return now.After(c.NotAfter) })
	return !isExpired && (a == nil || a(chain[len(chain)-1]))
}
