package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"galaxy/rtmanager/internal/atomicfile"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/filelock"
	"galaxy/rtmanager/internal/securefile"
)

// Kind names an authority.
type Kind string

// The authorities of a directory.
const (
	API  Kind = "api"
	Etcd Kind = "etcd"
)

// Kinds returns the authorities of a directory.
func Kinds() []Kind { return []Kind{API, Etcd} }

// caFile returns the name of the file with the certificates of the authority.
func (k Kind) caFile() string {
	if k == Etcd {
		return "etcd-ca.crt"
	}
	return "ca.crt"
}

func (k Kind) caKeyFile() string {
	if k == Etcd {
		return "etcd-ca.key"
	}
	return "ca.key"
}

// leafFiles returns the names of the files of a certificate that the authority has issued.
func (k Kind) leafFiles() (cert, key string) {
	if k == Etcd {
		return "etcd.crt", "etcd.key"
	}
	return "tls.crt", "tls.key"
}

// lockTimeout is how long Open waits for another process.
const lockTimeout = 5 * time.Second

// Directory is an open directory with authorities. One process at a time may have it open.
type Directory struct {
	path string
	lock *filelock.Lock
	now  func() time.Time
}

// Options are the validities of new certificates. Both are required.
type Options struct {
	// CAValidity is how long new authorities are valid.
	CAValidity time.Duration
	// Validity is how long other certificates are valid.
	Validity time.Duration
	// Now is the clock of certificates.
	Now func() time.Time
	// Nodes are daemons that get certificates at once; see IssueNode.
	Nodes []NodeHosts
}

// NodeHosts are the names and addresses by which clients and members reach a daemon.
type NodeHosts struct {
	Node  node.Ref
	Hosts []string
}

// ErrHasAuthority reports that a directory has an authority already.
var ErrHasAuthority = errors.New("the directory has an authority already")

// Init creates a directory with both authorities, the certificate of admin, an administrator
// of the API, that of root for etcd, and those of Options.Nodes. It returns these certificates.
// The directory must not exist, or be empty; after an error it is unchanged. It returns
// ErrHasAuthority if Init has created the directory before.
func Init(path string, options Options) (leaves []Leaf, err error) {
	if err := errors.Join(checkValidity("CA", options.CAValidity), checkValidity("certificate", options.Validity)); err != nil {
		return nil, err
	}
	path = filepath.Clean(path)
	if _, err := os.Stat(filepath.Join(path, API.caFile())); err == nil {
		return nil, fmt.Errorf("%s is not empty: %w", path, ErrHasAuthority)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not empty; choose another directory, since its certificates may be in use", path)
	}
	parent := filepath.Dir(path)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, err
	}
	// The directory appears complete: a crash leaves a hidden one that is not used.
	temp, err := os.MkdirTemp(parent, "."+filepath.Base(path)+".new-*")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(temp))
		}
	}()
	d := &Directory{path: temp, now: options.Now}
	for _, kind := range Kinds() {
		created, err := newAuthority("rtmanager "+string(kind)+" CA", d.now(), options.CAValidity)
		if err != nil {
			return nil, err
		}
		if err := d.writeAuthority(kind, created, created.cert); err != nil {
			return nil, err
		}
	}
	if _, err := d.IssueUser("admin", []string{adminsGroup}, options.Validity); err != nil {
		return nil, err
	}
	if _, err := d.IssueEtcdClient("root", options.Validity); err != nil {
		return nil, err
	}
	for _, member := range options.Nodes {
		if _, err := d.IssueNode(member.Node, member.Hosts, options.Validity); err != nil {
			return nil, err
		}
	}
	if err := atomicfile.Rename(temp, path); err != nil {
		return nil, err
	}
	d.path = path
	return d.Leaves()
}

// checkValidity returns an error unless a certificate may be valid for the duration.
func checkValidity(what string, validity time.Duration) error {
	const maxValidity = 100 * 365 * 24 * time.Hour
	if validity <= 0 || validity > maxValidity {
		return fmt.Errorf("validity %s of a %s must be positive and at most %s", validity, what, maxValidity)
	}
	return nil
}

// Open opens a directory that Init has created, and locks it until Close. now is the clock of
// certificates. It returns an error that matches fs.ErrNotExist for a directory without
// authorities.
func Open(path string, now func() time.Time) (*Directory, error) {
	d := &Directory{path: filepath.Clean(path), now: now}
	for _, kind := range Kinds() {
		if _, err := os.Stat(d.file(kind.caFile())); err != nil {
			return nil, fmt.Errorf("%s has no certificate authority: %w", path, err)
		}
	}
	lock, err := filelock.Acquire(d.file(".lock"), lockTimeout)
	if err != nil {
		return nil, err
	}
	d.lock = lock
	return d, nil
}

// Close unlocks the directory.
func (d *Directory) Close() error { return d.lock.Release() }

func (d *Directory) file(name ...string) string {
	return filepath.Join(append([]string{d.path}, name...)...)
}

// writeAuthority stores the key of the authority and the certificates that are trusted. The
// certificates are stored first: load recognizes a crash in between.
func (d *Directory) writeAuthority(kind Kind, a authority, trusted ...*x509.Certificate) error {
	key, err := encodeKey(a.key)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(d.file(kind.caFile()), encodeCerts(trusted...)); err != nil {
		return err
	}
	return atomicfile.Write(d.file(kind.caKeyFile()), key)
}

// storedAuthority is an authority and the certificates that its file has.
type storedAuthority struct {
	authority
	trusted []*x509.Certificate
	// isRotating means that the file also has the certificate of the previous authority.
	isRotating bool
}

// isIssuerTrusted reports whether the authority or the previous one has issued the certificate. A
// foreign certificate must not be renewed: its subject could be any.
func (s storedAuthority) isIssuerTrusted(cert *x509.Certificate) bool {
	return slices.ContainsFunc(s.trusted, func(ca *x509.Certificate) bool { return cert.CheckSignatureFrom(ca) == nil })
}

// load reads an authority: that of the trusted certificates whose key the directory has.
func (d *Directory) load(kind Kind) (storedAuthority, error) {
	caFile, keyFile := d.file(kind.caFile()), d.file(kind.caKeyFile())
	text, err := securefile.ReadTrusted(caFile)
	if err != nil {
		return storedAuthority{}, fmt.Errorf("read authority: %w", err)
	}
	trusted, err := decodeCerts(text)
	if err != nil {
		return storedAuthority{}, fmt.Errorf("read authority %s: %w", caFile, err)
	}
	text, err = securefile.ReadSecret(keyFile)
	if err != nil {
		return storedAuthority{}, fmt.Errorf("read key of the authority: %w", err)
	}
	key, err := decodeKey(text)
	if err != nil {
		return storedAuthority{}, fmt.Errorf("read key of the authority %s: %w", keyFile, err)
	}
	for i, cert := range trusted {
		if key.PublicKey.Equal(cert.PublicKey) {
			// A crash can leave a new certificate whose key was not stored: it has issued nothing.
			trusted = trusted[i:]
			return storedAuthority{authority{cert, key}, trusted, len(trusted) > 1}, nil
		}
	}
	return storedAuthority{}, fmt.Errorf("%s is not the key of a certificate in %s", keyFile, caFile)
}
