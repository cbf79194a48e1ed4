package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// backdate is how long before its creation a certificate is valid, for machines whose clocks
// are behind.
const backdate = 5 * time.Minute

// authority is a certificate that signs others, and its key.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newAuthority creates an authority. Its name contains a random part, so that a certificate
// names the generation of its issuer.
func newAuthority(name string, now time.Time, validity time.Duration) (authority, error) {
	key, serial, err := newKey()
	if err != nil {
		return authority{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name + " " + hex.EncodeToString(serial.Bytes()[:4])},
		NotBefore:    now.Add(-backdate), NotAfter: now.Add(validity),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	cert, err := createCertificate(template, template, &key.PublicKey, key)
	return authority{cert, key}, err
}

// leafTemplate is the part of a certificate that its renewal keeps.
type leafTemplate struct {
	subject pkix.Name
	hosts   hosts
	usages  []x509.ExtKeyUsage
}

// issue creates a key and a certificate, which expires no later than the authority.
func (a authority) issue(t leafTemplate, now time.Time, validity time.Duration) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	if !now.Before(a.cert.NotAfter) {
		return nil, nil, fmt.Errorf("the authority %q expired at %s; replace it", a.cert.Subject.CommonName, a.cert.NotAfter.UTC().Format(time.RFC3339))
	}
	key, serial, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	notAfter := now.Add(validity)
	if notAfter.After(a.cert.NotAfter) {
		notAfter = a.cert.NotAfter
	}
	cert, err := createCertificate(&x509.Certificate{
		SerialNumber: serial, Subject: t.subject, DNSNames: t.hosts.names, IPAddresses: t.hosts.addresses,
		NotBefore: now.Add(-backdate), NotAfter: notAfter,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: t.usages,
	}, a.cert, &key.PublicKey, a.key)
	return cert, key, err
}

// hasIssued reports whether the authority has signed the certificate.
func (a authority) hasIssued(cert *x509.Certificate) bool {
	return cert.CheckSignatureFrom(a.cert) == nil
}

func createCertificate(template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		return nil, fmt.Errorf("create a certificate for %s: %w", template.Subject, err)
	}
	return x509.ParseCertificate(der)
}

// newKey returns a key and a random serial number of 127 bits.
func newKey() (*ecdsa.PrivateKey, *big.Int, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generate a key: %w", err)
	}
	digits := make([]byte, 16)
	if _, err := rand.Read(digits); err != nil {
		return nil, nil, fmt.Errorf("generate a serial number: %w", err)
	}
	digits[0] = digits[0]&0x7f | 0x40 // positive, and of 16 bytes
	return key, new(big.Int).SetBytes(digits), nil
}

// encodeCerts returns the certificates as PEM.
func encodeCerts(certs ...*x509.Certificate) []byte {
	var text []byte
	for _, cert := range certs {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	return text
}

// encodeKey returns the key as PEM.
func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// decodeCerts returns the certificates of a PEM text, at least one.
func decodeCerts(text []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New("it contains no PEM certificate")
	}
	return certs, nil
}

// decodeKey returns the ECDSA key of a PEM text.
func decodeKey(text []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("it contains no PEM key")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("it contains no key in the format PKCS #8") // the cause could quote the key
	}
	private, isECDSA := key.(*ecdsa.PrivateKey)
	if !isECDSA {
		return nil, fmt.Errorf("its key is a %T, not ECDSA", key)
	}
	return private, nil
}
