package pki

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"galaxy/rtmanager/internal/atomicfile"
	"galaxy/rtmanager/internal/securefile"
)

// Leaf is an issued certificate.
type Leaf struct {
	// Name is the directory of the certificate, such as nodes/eu/eu-1 or users/ada.
	Name string
	// Issuer is the authority that has issued it.
	Issuer            Kind
	CertFile, KeyFile string
	Cert              *x509.Certificate
	// IsReplaced means that its authority has been replaced, so that it must be renewed.
	IsReplaced bool
}

// Leaves returns the issued certificates, ordered by name and authority.
func (d *Directory) Leaves() ([]Leaf, error) {
	root := os.DirFS(d.path)
	var leaves []Leaf
	for _, pattern := range []string{etcdClientsDir + "/*", nodesDir + "/*/*", usersDir + "/*"} {
		dirs, err := fs.Glob(root, pattern)
		if err != nil {
			return nil, err
		}
		for _, dir := range dirs {
			if strings.HasPrefix(path.Base(dir), ".") {
				continue // an issue that a crash has interrupted
			}
			found, err := d.leavesIn(filepath.FromSlash(dir))
			if err != nil {
				return nil, err
			}
			leaves = append(leaves, found...)
		}
	}
	return leaves, nil
}

// leavesIn returns the certificates of one directory.
func (d *Directory) leavesIn(dir string) ([]Leaf, error) {
	var leaves []Leaf
	for _, kind := range Kinds() {
		certName, keyName := kind.leafFiles()
		leaf := Leaf{Name: filepath.ToSlash(dir), Issuer: kind, CertFile: d.file(dir, certName), KeyFile: d.file(dir, keyName)}
		text, err := securefile.ReadTrusted(leaf.CertFile)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read certificate: %w", err)
		}
		certs, err := decodeCerts(text)
		if err != nil {
			return nil, fmt.Errorf("read certificate %s: %w", leaf.CertFile, err)
		}
		ca, err := d.load(kind)
		if err != nil {
			return nil, err
		}
		if !ca.isIssuerTrusted(certs[0]) {
			return nil, fmt.Errorf("certificate %s was not issued by the authority of %s; remove it", leaf.CertFile, kind)
		}
		leaf.Cert, leaf.IsReplaced = certs[0], !ca.hasIssued(certs[0])
		leaves = append(leaves, leaf)
	}
	return leaves, nil
}

// RenewOptions select the certificates to renew.
type RenewOptions struct {
	// Within selects certificates that expire within the duration. Those of a replaced
	// authority are always selected.
	Within time.Duration
	// All selects all certificates.
	All bool
	// Validity is how long the new certificates are valid.
	Validity time.Duration
}

// Renew replaces certificates before they expire. A new certificate has the subject, the hosts
// and the file of the previous one, and a new key. It returns the new certificates, also
// after an error.
func (d *Directory) Renew(options RenewOptions) (renewed []Leaf, err error) {
	if err := checkValidity("certificate", options.Validity); err != nil {
		return nil, err
	}
	if err := d.copyAuthorities(); err != nil {
		return nil, err
	}
	leaves, err := d.Leaves()
	if err != nil {
		return nil, err
	}
	deadline := d.now().Add(options.Within)
	for _, leaf := range leaves {
		if !options.All && !leaf.IsReplaced && leaf.Cert.NotAfter.After(deadline) {
			continue
		}
		old := leaf.Cert
		template := leafTemplate{old.Subject, hosts{old.DNSNames, old.IPAddresses}, old.ExtKeyUsage}
		if err := d.writeLeaf(filepath.Dir(leaf.CertFile), leaf.Issuer, template, options.Validity); err != nil {
			return renewed, fmt.Errorf("renew %s: %w", leaf.CertFile, err)
		}
		replaced, err := d.leavesIn(filepath.FromSlash(leaf.Name))
		if err != nil {
			return renewed, err
		}
		for _, l := range replaced {
			if l.Issuer == leaf.Issuer {
				renewed = append(renewed, l)
			}
		}
	}
	return renewed, nil
}

// copyAuthorities writes the trusted authorities next to each certificate.
func (d *Directory) copyAuthorities() error {
	leaves, err := d.Leaves()
	if err != nil {
		return err
	}
	for _, leaf := range leaves {
		ca, err := d.load(leaf.Issuer)
		if err != nil {
			return err
		}
		name, text := filepath.Join(filepath.Dir(leaf.CertFile), leaf.Issuer.caFile()), encodeCerts(ca.trusted...)
		if current, err := os.ReadFile(name); err == nil && bytes.Equal(current, text) {
			continue
		}
		if err := atomicfile.Write(name, text); err != nil {
			return err
		}
	}
	return nil
}
