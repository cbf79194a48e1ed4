// Package certtest issues certificates for tests: also expired, foreign and unusual ones,
// which the product's own authority does not issue.
package certtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Authority is a certificate authority of a test.
type Authority struct {
	Cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Leaf is a certificate with its key.
type Leaf struct {
	CertPEM, KeyPEM []byte
	TLS             tls.Certificate
}

// NewAuthority returns an authority that is valid for a day, unless change replaces that.
func NewAuthority(t testing.TB, name string, change ...func(*x509.Certificate)) *Authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: newSerial(t), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	for _, f := range change {
		f(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err, "create authority %s", name)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err, "parse authority %s", name)
	return &Authority{cert, key}
}

// PEM returns the certificate of the authority.
func (a *Authority) PEM() []byte { return encode("CERTIFICATE", a.Cert.Raw) }

// Pool returns a pool of this authority.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.Cert)
	return pool
}

// Issue returns a certificate for the subject. It is valid for an hour, for localhost and the
// loopback addresses, and for servers and clients, unless change replaces that.
func (a *Authority) Issue(t testing.TB, subject pkix.Name, change ...func(*x509.Certificate)) Leaf {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: newSerial(t), Subject: subject,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, f := range change {
		f(template)
	}
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, a.Cert, &key.PublicKey, a.key)
	require.NoError(t, err, "issue a certificate for %s", subject)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err, "encode the key of %s", subject)
	leaf := Leaf{CertPEM: encode("CERTIFICATE", der), KeyPEM: encode("PRIVATE KEY", keyDER)}
	leaf.TLS, err = tls.X509KeyPair(leaf.CertPEM, leaf.KeyPEM)
	require.NoError(t, err, "load the certificate of %s", subject)
	return leaf
}

// IssueNode returns the certificate of a daemon with the name REGION/NODE.
func (a *Authority) IssueNode(t testing.TB, ref string, change ...func(*x509.Certificate)) Leaf {
	t.Helper()
	return a.Issue(t, pkix.Name{CommonName: ref, Organization: []string{"rtmanager:nodes"}}, change...)
}

// Expired makes a certificate that expired a minute ago.
func Expired(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }

// NotYetValid makes a certificate that is valid in an hour.
func NotYetValid(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
}

// Write writes the certificate and the key to tls.crt and tls.key of the directory, and
// returns their names.
func (l Leaf) Write(t testing.TB, dir string) (certFile, keyFile string) {
	t.Helper()
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	require.NoError(t, os.WriteFile(certFile, l.CertPEM, 0o600), "write certificate")
	require.NoError(t, os.WriteFile(keyFile, l.KeyPEM, 0o600), "write key")
	return certFile, keyFile
}

// Write writes the certificate of the authority to ca.crt of the directory, and returns its
// name.
func (a *Authority) Write(t testing.TB, dir string) string {
	t.Helper()
	file := filepath.Join(dir, "ca.crt")
	require.NoError(t, os.WriteFile(file, a.PEM(), 0o600), "write authority")
	return file
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err, "generate a key")
	return key
}

func newSerial(t testing.TB) *big.Int {
	t.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	require.NoError(t, err, "generate a serial number")
	return serial
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
