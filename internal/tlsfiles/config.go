package tlsfiles

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// ServerConfig returns the TLS settings of a server with the certificate, for HTTP/2 and
// HTTP/1.1. A client may present a certificate of clientCAs, and may omit it; the handshake
// with any other certificate fails. A nil pool accepts no client certificate.
//
// Sessions are not resumed if there is a pool: a resumed session would not show that its
// authority has been removed.
func ServerConfig(cert *KeyPair, clientCAs *Pool) *tls.Config {
	cfg := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return cert.Current(), nil },
	}
	if clientCAs == nil {
		return cfg
	}
	cfg.ClientAuth, cfg.SessionTicketsDisabled = tls.VerifyClientCertIfGiven, true
	withPool := cfg.Clone()
	cfg.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		current := withPool.Clone()
		current.ClientCAs = clientCAs.Current()
		return current, nil
	}
	return cfg
}

// Client is what a client uses for TLS.
type Client struct {
	// Roots verify the certificates of servers; nil means the authorities of the system.
	Roots *Pool
	// Cert is presented to servers that request a certificate; nil means none.
	Cert *KeyPair
}

// Config returns the TLS settings for connections to a host, which is a name or an IP
// address. verify, if it is not nil, may reject the server's certificate after it was
// verified.
func (c Client) Config(host string, verify func(leaf *x509.Certificate) error) *tls.Config {
	cfg := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if c.Cert != nil {
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.Cert.Current(), nil }
	}
	if c.Roots == nil && verify == nil {
		return cfg
	}
	// The library can only verify with authorities that were read once. VerifyConnection makes
	// the same checks, with the authorities of this moment.
	cfg.InsecureSkipVerify = c.Roots != nil
	cfg.VerifyConnection = func(state tls.ConnectionState) error {
		if c.Roots != nil {
			if err := verifyServer(state, host, c.Roots.Current()); err != nil {
				return err
			}
		}
		if verify == nil {
			return nil
		}
		return verify(state.PeerCertificates[0])
	}
	return cfg
}

// verifyServer checks that the certificate of the server is valid for the host and was issued
// by one of the authorities.
func verifyServer(state tls.ConnectionState, host string, roots *x509.CertPool) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the server has sent no certificate")
	}
	options := x509.VerifyOptions{DNSName: host, Roots: roots, Intermediates: x509.NewCertPool()}
	for _, cert := range state.PeerCertificates[1:] {
		options.Intermediates.AddCert(cert)
	}
	if _, err := state.PeerCertificates[0].Verify(options); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
	}
	return nil
}
