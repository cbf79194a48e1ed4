package tlsfiles

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"time"

	"galaxy/rtmanager/internal/securefile"
)

// KeyPair is a certificate chain and its key, which are read from PEM files. It is safe for
// concurrent use.
type KeyPair struct{ source *source[*tls.Certificate] }

// OpenKeyPair reads the files. The key file must be one that securefile.ReadSecret accepts.
// It returns an error if the files cannot be read, or if they do not belong together. An
// expired certificate is no error: State shows its validity. The logger reports later errors;
// nil discards them.
func OpenKeyPair(certFile, keyFile string, logger *slog.Logger) (*KeyPair, error) {
	p := &KeyPair{}
	load := func() (*tls.Certificate, error) {
		cert, err := readKeyPair(certFile, keyFile)
		if err == nil && p.source != nil {
			err = p.checkReplacement(cert, certFile)
		}
		if err != nil {
			return nil, err
		}
		return cert, nil
	}
	opened, err := newSource(certFile, load, isSameCertificate, logger)
	if err != nil {
		return nil, err
	}
	p.source = opened
	return p, nil
}

func readKeyPair(certFile, keyFile string) (*tls.Certificate, error) {
	chain, err := securefile.ReadTrusted(certFile)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	key, err := securefile.ReadSecret(keyFile)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	cert, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("use certificate %s with key %s: %w", certFile, keyFile, err)
	}
	return &cert, nil
}

func isSameCertificate(a, b *tls.Certificate) bool { return a.Leaf.Equal(b.Leaf) }

// checkReplacement rejects a certificate that is not valid now while the one in use is. The
// caller holds the mutex of the source.
func (p *KeyPair) checkReplacement(cert *tls.Certificate, file string) error {
	now := p.source.now()
	if err := checkValidity(cert.Leaf, now); err != nil && checkValidity(p.source.content.Leaf, now) == nil {
		return fmt.Errorf("use certificate %s: %w", file, err)
	}
	return nil
}

// checkValidity returns an error if the certificate is not valid at the time.
func checkValidity(cert *x509.Certificate, now time.Time) error {
	switch {
	case now.Before(cert.NotBefore):
		return fmt.Errorf("it is not valid before %s; check the clock of this machine", cert.NotBefore.UTC().Format(time.RFC3339))
	case now.After(cert.NotAfter):
		return fmt.Errorf("it expired at %s; renew it", cert.NotAfter.UTC().Format(time.RFC3339))
	default:
		return nil
	}
}

// Current returns the certificate in use; its Leaf is set. The caller must not change it.
func (p *KeyPair) Current() *tls.Certificate { return p.source.current() }

// State checks the files and returns their state.
func (p *KeyPair) State() State {
	state, cert := p.source.state()
	state.NotBefore, state.NotAfter = cert.Leaf.NotBefore, cert.Leaf.NotAfter
	return state
}
