package embeddedetcd

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"

	"go.etcd.io/etcd/client/pkg/v3/transport"

	"galaxy/rtmanager/internal/loopback"
)

// TLSFiles are PEM files of a listener. etcd reads the certificate and the key for each
// handshake, and the authorities once.
type TLSFiles struct {
	// Cert and Key are the certificate of the listener and its key.
	Cert, Key string
	// CA has the authorities of client certificates, which clients must then present.
	CA string
}

// info converts the files to the type of etcd. etcd would also compare the address of a client
// with the names of its certificate, by lookups of DNS in each handshake: that fails behind NAT
// and for a host with several addresses, and proves nothing that the authority does not prove.
func (f TLSFiles) info() transport.TLSInfo {
	return transport.TLSInfo{CertFile: f.Cert, KeyFile: f.Key, TrustedCAFile: f.CA, ClientCertAuth: f.CA != "", SkipClientSANVerify: true}
}

// certify returns an error if the certificate is not valid for the host of the URL: then no other
// member connects to this one there. A certificate that cannot be read is left to etcd.
func (f TLSFiles) certify(advertised url.URL) error {
	if advertised.Scheme != "https" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil //nolint:nilerr // etcd reports it
	}
	if err := pair.Leaf.VerifyHostname(advertised.Hostname()); err != nil {
		return &ConfigError{Field: FieldCertificate, Err: fmt.Errorf("the certificate %s cannot be used at %s, where other members reach this one: %w", f.Cert, advertised.String(), err)}
	}
	return nil
}

// listenSetting is a URL to listen on and the field of Config that contains it.
type listenSetting struct {
	field, name, url string
	tls              TLSFiles
}

// listenSettings returns the client URL and then the peer URL.
func (c Config) listenSettings() []listenSetting {
	return []listenSetting{
		{FieldListenClientURL, "client", c.ListenClientURL, c.ClientTLS},
		{FieldListenPeerURL, "peer", c.ListenPeerURL, c.PeerTLS},
	}
}

// validate returns a *ConfigError unless etcd can listen on the URL. A URL that other machines
// can reach needs mutual TLS, or isInsecureAllowed.
func (l listenSetting) validate(isInsecureAllowed bool) error {
	u, err := url.Parse(l.url)
	if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return l.invalid("is not a URL such as http://127.0.0.1:2379 or unix:///run/etcd.sock")
	}
	if u.Scheme == "unix" {
		return l.validateSocket(u)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https" || u.Path != "" && u.Path != "/":
		return l.invalid("must be http://HOST:PORT, https://HOST:PORT or unix:///PATH, and nothing more")
	case !isBindHost(u.Hostname()):
		return l.invalid("needs an IP address of this machine or localhost")
	case u.Scheme == "https" && (l.tls.Cert == "" || l.tls.Key == ""):
		return l.invalid("needs a certificate and a key")
	}
	if _, err := strconv.ParseUint(u.Port(), 10, 16); err != nil {
		return l.invalid("needs a port from 0 to 65535")
	}
	isMutual := u.Scheme == "https" && l.tls.CA != ""
	if !loopback.IsHost(u.Hostname()) && !isMutual && !isInsecureAllowed {
		return l.invalid("can be reached from other machines, which requires https and the authorities of client certificates; use them, or 127.0.0.1, [::1] or localhost")
	}
	return nil
}

// invalid returns the *ConfigError of the URL.
func (l listenSetting) invalid(reason string) error {
	return &ConfigError{Field: l.field, Err: fmt.Errorf("%s URL %q %s", l.name, l.url, reason)}
}

// isBindHost reports whether etcd can listen on the host.
func isBindHost(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || host == "localhost"
}

// parsedURL returns the parts of a valid URL.
func (l listenSetting) parsedURL() url.URL {
	u, err := url.Parse(l.url)
	if err != nil {
		return url.URL{}
	}
	return *u
}

// hostPort returns HOST:PORT of a valid URL.
func (l listenSetting) hostPort() string {
	u := l.parsedURL()
	return net.JoinHostPort(u.Hostname(), u.Port())
}
