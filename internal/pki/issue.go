package pki

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"galaxy/rtmanager/internal/atomicfile"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/node"
)

const (
	adminsGroup = access.AdminsOrganization
	// etcdOrganization is the organization of certificates for etcd. It has no meaning there,
	// and shows the purpose.
	etcdOrganization = "rtmanager:etcd"
)

// The directories of issued certificates.
const (
	nodesDir       = "nodes"
	usersDir       = "users"
	etcdClientsDir = "etcd-clients"
)

func serverAndClient() []x509.ExtKeyUsage {
	return []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
}

func clientOnly() []x509.ExtKeyUsage { return []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }

// ErrExists reports that a certificate of the name was issued before. It can be renewed.
var ErrExists = errors.New("a certificate of this name exists")

// ValidateNode returns an error unless certificates of the daemon can be issued.
func ValidateNode(daemon NodeHosts) error {
	_, err := parseHosts(daemon.Hosts)
	return errors.Join(validateNode(daemon.Node), err)
}

// IssueNode issues the certificates of a daemon: one for the API, with which it also calls
// other daemons, and one for etcd, as a client and as a member. Both are valid for the hosts,
// which are names or IP addresses, and for the loopback addresses.
func (d *Directory) IssueNode(ref node.Ref, hostNames []string, validity time.Duration) ([]Leaf, error) {
	if err := errors.Join(validateNode(ref), checkValidity("certificate", validity)); err != nil {
		return nil, err
	}
	parsed, err := parseHosts(append([]string{"localhost", "127.0.0.1", "::1"}, hostNames...))
	if err != nil {
		return nil, err
	}
	subject := func(organization string) pkix.Name {
		return pkix.Name{CommonName: ref.String(), Organization: []string{organization}}
	}
	return d.issue(filepath.Join(nodesDir, ref.Region, ref.Name), validity, map[Kind]leafTemplate{
		API:  {subject(access.NodesOrganization), parsed, serverAndClient()},
		Etcd: {subject(etcdOrganization), parsed, serverAndClient()},
	})
}

// IssueUser issues the client certificate of a user of the API in the groups.
func (d *Directory) IssueUser(name string, groups []string, validity time.Duration) ([]Leaf, error) {
	if err := errors.Join(validateName("user", name), validateGroups(groups), checkValidity("certificate", validity)); err != nil {
		return nil, err
	}
	return d.issue(filepath.Join(usersDir, name), validity, map[Kind]leafTemplate{
		API: {pkix.Name{CommonName: name, Organization: groups}, hosts{}, clientOnly()},
	})
}

// IssueEtcdClient issues the certificate of a client of etcd, such as etcdctl. An etcd with
// authentication treats its holder as the user of that name.
func (d *Directory) IssueEtcdClient(name string, validity time.Duration) ([]Leaf, error) {
	if err := errors.Join(validateName("client of etcd", name), checkValidity("certificate", validity)); err != nil {
		return nil, err
	}
	return d.issue(filepath.Join(etcdClientsDir, name), validity, map[Kind]leafTemplate{
		Etcd: {pkix.Name{CommonName: name, Organization: []string{etcdOrganization}}, hosts{}, clientOnly()},
	})
}

// issue creates a directory with certificates, keys and the authorities that verify their
// peers. It appears complete or not at all.
func (d *Directory) issue(dir string, validity time.Duration, templates map[Kind]leafTemplate) (leaves []Leaf, err error) {
	final := d.file(dir)
	if _, err := os.Lstat(final); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", final, errors.Join(ErrExists, err))
	}
	if err := os.MkdirAll(filepath.Dir(final), 0o700); err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp(filepath.Dir(final), ".new-*")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(temp))
		}
	}()
	for kind, template := range templates {
		if err := d.writeLeaf(temp, kind, template, validity); err != nil {
			return nil, err
		}
	}
	if err := atomicfile.Rename(temp, final); err != nil {
		return nil, err
	}
	return d.leavesIn(dir)
}

// writeLeaf issues a certificate and writes it, its key and the trusted authorities to the
// directory. It replaces each file atomically.
func (d *Directory) writeLeaf(dir string, kind Kind, template leafTemplate, validity time.Duration) error {
	ca, err := d.load(kind)
	if err != nil {
		return err
	}
	cert, key, err := ca.issue(template, d.now(), validity)
	if err != nil {
		return err
	}
	keyText, err := encodeKey(key)
	if err != nil {
		return err
	}
	certFile, keyFile := kind.leafFiles()
	for _, file := range []struct {
		name string
		text []byte
	}{{kind.caFile(), encodeCerts(ca.trusted...)}, {keyFile, keyText}, {certFile, encodeCerts(cert)}} {
		if err := atomicfile.Write(filepath.Join(dir, file.name), file.text); err != nil {
			return err
		}
	}
	return nil
}
