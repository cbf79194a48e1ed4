package tlsfiles

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"galaxy/rtmanager/internal/securefile"
)

// Pool is the certificates of authorities, which are read from a PEM file. It is safe for
// concurrent use.
type Pool struct{ source *source[authorities] }

// authorities are the certificates of a file.
type authorities struct {
	pool  *x509.CertPool
	certs []*x509.Certificate // at least one
}

// OpenPool reads the file. It returns an error if securefile.ReadTrusted rejects the file, and
// if one of its certificates cannot be parsed. The logger reports later errors; nil discards
// them.
func OpenPool(file string, logger *slog.Logger) (*Pool, error) {
	opened, err := newSource(file, func() (authorities, error) { return readAuthorities(file) }, isSameAuthorities, logger)
	if err != nil {
		return nil, err
	}
	return &Pool{opened}, nil
}

func readAuthorities(file string) (authorities, error) {
	text, err := securefile.ReadTrusted(file)
	if err != nil {
		return authorities{}, fmt.Errorf("read CA certificates: %w", err)
	}
	found, err := parseAuthorities(text)
	if err != nil {
		return authorities{}, fmt.Errorf("read CA certificates: %s %w", file, err)
	}
	return found, nil
}

func isSameAuthorities(a, b authorities) bool {
	return slices.EqualFunc(a.certs, b.certs, (*x509.Certificate).Equal)
}

// parseAuthorities returns all certificates of a PEM text. x509.CertPool would skip what it
// cannot parse, so that a file which is being written would lose authorities.
func parseAuthorities(text []byte) (authorities, error) {
	found := authorities{pool: x509.NewCertPool()}
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return authorities{}, fmt.Errorf("has an invalid certificate (number %d): %w", len(found.certs)+1, err)
		}
		found.pool.AddCert(cert)
		found.certs = append(found.certs, cert)
	}
	switch starts := bytes.Count(text, []byte("-----BEGIN CERTIFICATE-----")); {
	case starts > len(found.certs):
		return authorities{}, fmt.Errorf("has %d certificates, but only %d complete PEM blocks", starts, len(found.certs))
	case len(found.certs) == 0:
		return authorities{}, errors.New("contains no valid PEM certificate")
	}
	return found, nil
}

// Current returns the authorities in use. The caller must not change them.
func (p *Pool) Current() *x509.CertPool { return p.source.current().pool }

// Contains reports whether the certificate is one of the authorities in use.
func (p *Pool) Contains(authority *x509.Certificate) bool {
	return slices.ContainsFunc(p.source.current().certs, authority.Equal)
}

// Shares reports whether an authority is in both pools.
func (p *Pool) Shares(other *Pool) bool {
	return slices.ContainsFunc(p.source.current().certs, other.Contains)
}

// State checks the file and returns its state.
func (p *Pool) State() State {
	state, found := p.source.state()
	for _, cert := range found.certs {
		if state.NotBefore.Before(cert.NotBefore) {
			state.NotBefore = cert.NotBefore
		}
		if state.NotAfter.IsZero() || cert.NotAfter.Before(state.NotAfter) {
			state.NotAfter = cert.NotAfter
		}
	}
	return state
}
