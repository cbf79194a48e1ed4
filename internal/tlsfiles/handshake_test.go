package tlsfiles_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/certtest"
	"galaxy/rtmanager/internal/tlsfiles"
)

func poolOf(authorities ...*certtest.Authority) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, a := range authorities {
		pool.AddCert(a.Cert)
	}
	return pool
}

// handshake returns the errors of both sides of a handshake, after which each has read a byte:
// in TLS 1.3, a client receives the rejection of its certificate by its first read.
//
// No side has a deadline, and none closes its connection before the other one is done: it would end
// the connection of a slow peer without an alert, or reset it and drop the alert that it has sent.
func handshake(t *testing.T, clientConfig, serverConfig *tls.Config) (clientErr, serverErr error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	exchange := func(conn *tls.Conn) error {
		if tcp, isTCP := conn.NetConn().(*net.TCPConn); isTCP {
			defer func() { _ = tcp.CloseWrite() }() // the peer needs no more than what was sent
		}
		if err := conn.Handshake(); err != nil {
			return err
		}
		if _, err := conn.Write([]byte("x")); err != nil {
			return err
		}
		_, err := conn.Read(make([]byte, 1))
		return err
	}
	served := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			served <- err
			return
		}
		t.Cleanup(func() { _ = conn.Close() })
		served <- exchange(tls.Server(conn, serverConfig))
	}()
	conn, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	return exchange(tls.Client(conn, clientConfig)), <-served
}

func openPool(t *testing.T, a *certtest.Authority) *tlsfiles.Pool {
	t.Helper()
	pool, err := tlsfiles.OpenPool(a.Write(t, t.TempDir()), nil)
	require.NoError(t, err)
	return pool
}

func openPair(t *testing.T, leaf certtest.Leaf) *tlsfiles.KeyPair {
	t.Helper()
	certFile, keyFile := leaf.Write(t, t.TempDir())
	pair, err := tlsfiles.OpenKeyPair(certFile, keyFile, nil)
	require.NoError(t, err)
	return pair
}

func TestServersAreVerified(t *testing.T) {
	t.Parallel()
	ca, other := certtest.NewAuthority(t, "ca"), certtest.NewAuthority(t, "other")
	client := tlsfiles.Client{Roots: openPool(t, ca)}
	valid := ca.Issue(t, subject("server"))
	clientOnly := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }
	for name, c := range map[string]struct {
		leaf certtest.Leaf
		host string
		want string
	}{
		"valid":               {valid, "127.0.0.1", ""},
		"IPv6":                {valid, "::1", ""},
		"name":                {valid, "localhost", ""},
		"another address":     {valid, "127.0.0.2", "x509: certificate is valid for 127.0.0.1, ::1, not 127.0.0.2"},
		"another name":        {valid, "etcd.example", "x509: certificate is valid for localhost, not etcd.example"},
		"another authority":   {other.Issue(t, subject("server")), "127.0.0.1", "signed by unknown authority"},
		"expired":             {ca.Issue(t, subject("server"), certtest.Expired), "127.0.0.1", "certificate has expired or is not yet valid"},
		"not yet valid":       {ca.Issue(t, subject("server"), certtest.NotYetValid), "127.0.0.1", "certificate has expired or is not yet valid"},
		"client certificate":  {ca.Issue(t, subject("server"), clientOnly), "127.0.0.1", "incompatible key usage"},
		"rejected by subject": {ca.Issue(t, subject("evil")), "127.0.0.1", "evil is not allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			verify := func(leaf *x509.Certificate) error {
				if leaf.Subject.CommonName == "evil" {
					return errors.New("evil is not allowed")
				}
				return nil
			}
			err, _ := handshake(t, client.Config(c.host, verify), &tls.Config{Certificates: []tls.Certificate{c.leaf.TLS}})
			if c.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.want)
			}
		})
	}
}

func TestClientCertificatesAreVerified(t *testing.T) {
	t.Parallel()
	ca, other := certtest.NewAuthority(t, "ca"), certtest.NewAuthority(t, "other")
	server := openPair(t, ca.Issue(t, subject("server")))
	serverOnly := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
	for name, c := range map[string]struct {
		leaf *certtest.Leaf
		want string
	}{
		"none":               {nil, ""},
		"valid":              {new(ca.Issue(t, subject("ada"))), ""},
		"another authority":  {new(other.Issue(t, subject("ada"))), "signed by unknown authority"},
		"expired":            {new(ca.Issue(t, subject("ada"), certtest.Expired)), "certificate has expired or is not yet valid"},
		"not yet valid":      {new(ca.Issue(t, subject("ada"), certtest.NotYetValid)), "certificate has expired or is not yet valid"},
		"server certificate": {new(ca.Issue(t, subject("ada"), serverOnly)), "incompatible key usage"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := tlsfiles.Client{Roots: openPool(t, ca)}
			if c.leaf != nil {
				client.Cert = openPair(t, *c.leaf)
			}
			clientErr, serverErr := handshake(t, client.Config("127.0.0.1", nil), tlsfiles.ServerConfig(server, openPool(t, ca)))
			if c.want == "" {
				require.NoError(t, clientErr)
				require.NoError(t, serverErr)
				return
			}
			require.Error(t, clientErr)
			require.ErrorContains(t, serverErr, c.want)
		})
	}
}

// An authority that was removed from the file is not trusted any more, in sessions that a
// client resumes included.
func TestRemovedAuthorityIsNotTrusted(t *testing.T) {
	t.Parallel()
	first, second, now := certtest.NewAuthority(t, "first"), certtest.NewAuthority(t, "second"), newClock()
	server := openPair(t, first.Issue(t, subject("server")))
	file := first.Write(t, t.TempDir())
	clientCAs, err := tlsfiles.OpenPool(file, nil)
	require.NoError(t, err)
	clientCAs.SetClock(now.time)
	serverConfig := tlsfiles.ServerConfig(server, clientCAs)
	client := tlsfiles.Client{Roots: openPool(t, first), Cert: openPair(t, first.Issue(t, subject("ada")))}
	clientConfig := client.Config("127.0.0.1", nil)
	clientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	for range 2 {
		clientErr, serverErr := handshake(t, clientConfig, serverConfig)
		require.NoError(t, clientErr)
		require.NoError(t, serverErr)
	}
	require.NoError(t, os.WriteFile(file, second.PEM(), 0o600))
	now.advance(time.Second)
	_, serverErr := handshake(t, clientConfig, serverConfig)
	require.ErrorContains(t, serverErr, "signed by unknown authority")
}

func TestOldProtocolVersionsAreRejected(t *testing.T) {
	t.Parallel()
	ca := certtest.NewAuthority(t, "ca")
	server := tlsfiles.ServerConfig(openPair(t, ca.Issue(t, subject("server"))), nil)
	client := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	err, _ := handshake(t, client, server)
	require.ErrorContains(t, err, "protocol version not supported")
	client.MaxVersion = tls.VersionTLS12
	err, _ = handshake(t, client, server)
	require.NoError(t, err)
}
