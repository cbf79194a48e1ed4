package pki_test

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/pki"
	"galaxy/rtmanager/internal/securefile"
	"galaxy/rtmanager/internal/tlsfiles"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// fixture is a new directory, and a clock that the test advances.
type fixture struct {
	t    *testing.T
	path string
	now  time.Time
	*pki.Directory
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, path: filepath.Join(t.TempDir(), "pki"), now: time.Now()}
	_, err := pki.Init(f.path, pki.Options{CAValidity: 10 * year, Validity: year, Now: f.clock})
	require.NoError(t, err)
	f.Directory, err = pki.Open(f.path, f.clock)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

func (f *fixture) clock() time.Time { return f.now }

// leaf returns the certificate of a name and an authority.
func (f *fixture) leaf(name string, issuer pki.Kind) pki.Leaf {
	f.t.Helper()
	leaves, err := f.Leaves()
	require.NoError(f.t, err)
	for _, leaf := range leaves {
		if leaf.Name == name && leaf.Issuer == issuer {
			return leaf
		}
	}
	require.Fail(f.t, "no certificate", "%s of %s", name, issuer)
	return pki.Leaf{}
}

// roots returns the authorities of a file.
func roots(t *testing.T, file ...string) *x509.CertPool {
	t.Helper()
	pool, err := tlsfiles.OpenPool(filepath.Join(file...), nil)
	require.NoError(t, err)
	return pool.Current()
}

// verify returns the error of a certificate for a purpose.
func (f *fixture) verify(cert *x509.Certificate, ca string, usage x509.ExtKeyUsage, host string) error {
	_, err := cert.Verify(x509.VerifyOptions{
		Roots: roots(f.t, f.path, ca), KeyUsages: []x509.ExtKeyUsage{usage}, DNSName: host, CurrentTime: f.now,
	})
	return err
}

func TestInit(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	admin := f.leaf("users/admin", pki.API).Cert
	require.NoError(t, f.verify(admin, "ca.crt", x509.ExtKeyUsageClientAuth, ""))
	require.Error(t, f.verify(admin, "ca.crt", x509.ExtKeyUsageServerAuth, ""), "a user is no server")
	require.Error(t, f.verify(admin, "etcd-ca.crt", x509.ExtKeyUsageClientAuth, ""), "a user of the API must not open etcd")
	identity, err := access.FromCertificate(admin)
	require.NoError(t, err)
	require.Equal(t, "user:admin", identity.Subject)
	require.Equal(t, []string{"group:rtmanager:admins"}, identity.Groups)
	require.WithinDuration(t, f.now.Add(-5*time.Minute), admin.NotBefore, time.Second)
	require.WithinDuration(t, f.now.Add(year), admin.NotAfter, time.Second)
	root := f.leaf("etcd-clients/root", pki.Etcd).Cert
	require.NoError(t, f.verify(root, "etcd-ca.crt", x509.ExtKeyUsageClientAuth, ""))
	require.Error(t, f.verify(root, "ca.crt", x509.ExtKeyUsageClientAuth, ""))

	require.NoError(t, filepath.WalkDir(f.path, func(path string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		if entry.IsDir() {
			require.Equal(t, fs.FileMode(0o700), info.Mode().Perm(), path)
		} else {
			require.Zero(t, info.Mode().Perm()&0o077, path)
		}
		return nil
	}))
}

func TestInitDoesNotOverwrite(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	before, err := os.ReadFile(filepath.Join(f.path, "ca.key"))
	require.NoError(t, err)
	options := pki.Options{CAValidity: year, Validity: day, Now: f.clock}
	_, err = pki.Init(f.path, options)
	require.ErrorContains(t, err, f.path+" is not empty")
	after, err := os.ReadFile(filepath.Join(f.path, "ca.key"))
	require.NoError(t, err)
	require.Equal(t, before, after)

	empty := t.TempDir()
	_, err = pki.Init(empty, options)
	require.NoError(t, err, "an empty directory may exist")
	invalid := filepath.Join(t.TempDir(), "invalid")
	_, err = pki.Init(invalid, pki.Options{CAValidity: -1, Validity: day, Now: f.clock})
	require.ErrorContains(t, err, "must be positive")
	require.NoDirExists(t, invalid)
	_, err = pki.Open(invalid, f.clock)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestCertificatesOfANode(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ref := node.Ref{Region: "eu", Name: "eu-1.example"}
	leaves, err := f.IssueNode(ref, []string{"EU-1.example", "10.0.0.7", "fd00::7", "10.0.0.7"}, 30*day)
	require.NoError(t, err)
	require.Len(t, leaves, 2)
	cert := leaves[0].Cert
	identity, err := access.FromCertificate(cert)
	require.NoError(t, err)
	got, isNode := identity.Node()
	require.True(t, isNode)
	require.Equal(t, ref, got)
	for _, host := range []string{"eu-1.example", "10.0.0.7", "fd00::7", "localhost", "127.0.0.1", "::1"} {
		require.NoError(t, f.verify(cert, "ca.crt", x509.ExtKeyUsageServerAuth, host), host)
		require.NoError(t, f.verify(leaves[1].Cert, "etcd-ca.crt", x509.ExtKeyUsageServerAuth, host), host)
	}
	require.NoError(t, f.verify(cert, "ca.crt", x509.ExtKeyUsageClientAuth, ""))
	require.Error(t, f.verify(cert, "ca.crt", x509.ExtKeyUsageServerAuth, "eu-2.example"))
	require.Error(t, f.verify(cert, "etcd-ca.crt", x509.ExtKeyUsageClientAuth, ""))
	require.Error(t, f.verify(leaves[1].Cert, "ca.crt", x509.ExtKeyUsageClientAuth, ""), "the authorities are separate")
	require.WithinDuration(t, f.now.Add(30*day), cert.NotAfter, time.Second)

	dir := filepath.Join(f.path, "nodes", "eu", "eu-1.example")
	for _, name := range []string{"tls.crt", "tls.key", "ca.crt", "etcd.crt", "etcd.key", "etcd-ca.crt"} {
		require.FileExists(t, filepath.Join(dir, name))
	}
	_, err = tlsfiles.OpenKeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"), nil)
	require.NoError(t, err)
	_, err = f.IssueNode(ref, nil, day)
	require.ErrorIs(t, err, pki.ErrExists)
	_, err = f.IssueUser("admin", nil, day)
	require.ErrorIs(t, err, pki.ErrExists)
}

// Names become common names, organizations and directories. None of them can be another name.
func TestInvalidNames(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	before, err := f.Leaves()
	require.NoError(t, err)
	for _, name := range []string{
		"", " ", ".", "..", "../../etc", "a/b", "/a", `a\b`, "a\x00b", "a\nb", "a b", "-a", ".a", "a,O=rtmanager:admins", "CN=x", "rtmanager:nodes",
		"ада", "a\u202eb", "*", "a*", strings.Repeat("a", 65),
	} {
		_, err := f.IssueUser(name, nil, day)
		require.Error(t, err, "user %q", name)
		_, err = f.IssueEtcdClient(name, day)
		require.Error(t, err, "client %q", name)
		_, err = f.IssueUser("ada", []string{name}, day)
		require.Error(t, err, "group %q", name)
		_, err = f.IssueNode(node.Ref{Region: name, Name: "n"}, nil, day)
		require.Error(t, err, "region %q", name)
		_, err = f.IssueNode(node.Ref{Region: "r", Name: name}, nil, day)
		require.Error(t, err, "node %q", name)
	}
	for _, host := range []string{"", "a b", "*.example", "10.0.0.1:80", "https://a", "a/b", "0.0.0.0", "::", "fe80::1%eth0", "224.0.0.1", "-a", "a..b", "a.", strings.Repeat("a", 64)} {
		_, err := f.IssueNode(node.Ref{Region: "r", Name: "n"}, []string{host}, day)
		require.Error(t, err, "host %q", host)
	}
	for _, validity := range []time.Duration{0, -day, 1 << 62} {
		_, err := f.IssueUser("ada", nil, validity)
		require.ErrorContains(t, err, "must be positive and at most")
	}
	_, err = f.IssueNode(node.Ref{Region: strings.Repeat("r", 40), Name: strings.Repeat("n", 40)}, nil, day)
	require.ErrorContains(t, err, "a certificate has space for 64")
	after, err := f.Leaves()
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func TestRenewal(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, err := f.IssueNode(node.Ref{Region: "eu", Name: "n1"}, []string{"n1.example"}, 40*day)
	require.NoError(t, err)
	old := f.leaf("nodes/eu/n1", pki.API)
	renewed, err := f.Renew(pki.RenewOptions{Within: 30 * day, Validity: year})
	require.NoError(t, err)
	require.Empty(t, renewed, "none expires soon")

	f.now = f.now.Add(20 * day)
	renewed, err = f.Renew(pki.RenewOptions{Within: 30 * day, Validity: year})
	require.NoError(t, err)
	require.Len(t, renewed, 2, "both certificates of the node")
	cert := renewed[0].Cert
	require.Equal(t, old.CertFile, renewed[0].CertFile)
	require.Equal(t, old.Cert.Subject.String(), cert.Subject.String())
	require.Equal(t, old.Cert.DNSNames, cert.DNSNames)
	require.Equal(t, old.Cert.IPAddresses, cert.IPAddresses)
	require.Equal(t, old.Cert.ExtKeyUsage, cert.ExtKeyUsage)
	require.NotEqual(t, old.Cert.PublicKey, cert.PublicKey)
	require.NotEqual(t, old.Cert.SerialNumber, cert.SerialNumber)
	require.WithinDuration(t, f.now.Add(year), cert.NotAfter, time.Second)
	require.NoError(t, f.verify(cert, "ca.crt", x509.ExtKeyUsageServerAuth, "n1.example"))
	_, err = tlsfiles.OpenKeyPair(renewed[0].CertFile, renewed[0].KeyFile, nil)
	require.NoError(t, err)

	renewed, err = f.Renew(pki.RenewOptions{All: true, Validity: year})
	require.NoError(t, err)
	require.Len(t, renewed, 4)
}

// The renewal of a certificate that another authority has issued would sign any subject.
func TestForeignCertificateIsNotRenewed(t *testing.T) {
	t.Parallel()
	f, other := newFixture(t), newFixture(t)
	_, err := f.IssueUser("eve", nil, day)
	require.NoError(t, err)
	text, err := os.ReadFile(other.leaf("users/admin", pki.API).CertFile)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(f.leaf("users/eve", pki.API).CertFile, text, 0o600))
	_, err = f.Renew(pki.RenewOptions{All: true, Validity: year})
	require.ErrorContains(t, err, "was not issued by the authority of api")
}

func TestCertificateExpiresNoLaterThanItsAuthority(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.now = f.now.Add(10*year - 10*day)
	leaves, err := f.IssueUser("ada", nil, year)
	require.NoError(t, err)
	require.WithinDuration(t, f.now.Add(10*day), leaves[0].Cert.NotAfter, 2*time.Second)
	f.now = f.now.Add(11 * day)
	_, err = f.IssueUser("bob", nil, year)
	require.ErrorContains(t, err, "expired at")
	require.NoDirExists(t, filepath.Join(f.path, "users", "bob"))
}

// At each step of a rotation, every certificate in use is trusted by every file of authorities
// in use.
func TestRotationWithoutDowntime(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, err := f.IssueNode(node.Ref{Region: "eu", Name: "n1"}, nil, year)
	require.NoError(t, err)
	old := f.leaf("nodes/eu/n1", pki.API)
	bundle := filepath.Join(filepath.Dir(old.CertFile), "ca.crt")
	trusts := func(cert *x509.Certificate) bool {
		t.Helper()
		_, err := cert.Verify(x509.VerifyOptions{Roots: roots(t, bundle), CurrentTime: f.now})
		return err == nil
	}
	require.ErrorContains(t, f.FinishRotation(pki.Kinds()), "no authority is being replaced")

	require.NoError(t, f.RotateCA([]pki.Kind{pki.API}, 10*year))
	require.True(t, trusts(old.Cert), "step 1: certificates of the previous authority are trusted")
	require.ErrorIs(t, f.RotateCA(pki.Kinds(), year), pki.ErrRotating)
	require.ErrorContains(t, f.FinishRotation(pki.Kinds()), "renew them first")
	require.True(t, f.leaf("nodes/eu/n1", pki.API).IsReplaced)
	require.False(t, f.leaf("nodes/eu/n1", pki.Etcd).IsReplaced, "the other authority is unchanged")

	renewed, err := f.Renew(pki.RenewOptions{Within: day, Validity: year})
	require.NoError(t, err)
	require.Len(t, renewed, 2, "of the API: the node and the user admin")
	current := f.leaf("nodes/eu/n1", pki.API)
	require.False(t, current.IsReplaced)
	require.True(t, trusts(current.Cert))
	require.True(t, trusts(old.Cert))

	require.NoError(t, f.FinishRotation(pki.Kinds()))
	require.True(t, trusts(current.Cert))
	require.False(t, trusts(old.Cert), "step 3: the previous authority is no longer trusted")
	require.NoError(t, f.RotateCA(pki.Kinds(), year), "the next rotation")
}

// A crash between the files of a rotation leaves a directory that still issues.
func TestRotationAfterACrash(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	file, key := filepath.Join(f.path, "ca.crt"), filepath.Join(f.path, "ca.key")
	oldKey, err := os.ReadFile(key)
	require.NoError(t, err)
	require.NoError(t, f.RotateCA([]pki.Kind{pki.API}, year))
	require.NoError(t, os.WriteFile(key, oldKey, 0o600), "the new key was not stored")

	_, err = f.IssueUser("ada", nil, day)
	require.NoError(t, err)
	require.False(t, f.leaf("users/admin", pki.API).IsReplaced)
	require.NoError(t, f.RotateCA([]pki.Kind{pki.API}, year), "the rotation starts a second time")
	_, err = f.Renew(pki.RenewOptions{Validity: year})
	require.NoError(t, err)
	require.NoError(t, f.FinishRotation([]pki.Kind{pki.API}))

	require.NoError(t, os.WriteFile(key, oldKey, 0o600))
	_, err = f.IssueUser("bob", nil, day)
	require.ErrorContains(t, err, "is not the key of a certificate in "+file)
	require.NoError(t, os.WriteFile(key, []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), 0o600))
	_, err = f.IssueUser("bob", nil, day)
	require.ErrorContains(t, err, "contains no key in the format PKCS #8")
}

func TestOpenKeyOfAnAuthorityIsRejected(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	require.NoError(t, os.Chmod(filepath.Join(f.path, "ca.key"), 0o644))
	_, err := f.IssueUser("ada", nil, day)
	require.ErrorContains(t, err, "mode 0644")
}

func TestDirectoryIsLocked(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, err := pki.Open(f.path, f.clock)
	require.ErrorContains(t, err, "is locked by")
}

// A name that is accepted is the name of the certificate, and of a directory below users.
func FuzzIssueUser(f *testing.F) {
	for _, seed := range []string{"ada", "ada@example.com", "../x", "a/b", "a\x00", "A=B,CN=x", "é", ""} {
		f.Add(seed, "ops")
		f.Add("ada", seed)
	}
	path := filepath.Join(f.TempDir(), "pki")
	_, err := pki.Init(path, pki.Options{CAValidity: year, Validity: day, Now: time.Now})
	require.NoError(f, err)
	d, err := pki.Open(path, time.Now)
	require.NoError(f, err)
	f.Cleanup(func() { _ = d.Close() })
	f.Fuzz(func(t *testing.T, name, group string) {
		leaves, err := d.IssueUser(name, []string{group}, day)
		if err != nil {
			require.True(t, errors.Is(err, pki.ErrExists) || len(leaves) == 0)
			return
		}
		require.Len(t, leaves, 1)
		dir := filepath.Dir(leaves[0].CertFile)
		require.Equal(t, filepath.Join(path, "users", name), dir)
		identity, err := access.FromCertificate(leaves[0].Cert)
		require.NoError(t, err)
		require.Equal(t, "user:"+name, identity.Subject)
		require.Equal(t, []string{"group:" + group}, identity.Groups)
		_, isNode := identity.Node()
		require.False(t, isNode)
		_, err = securefile.ReadSecret(leaves[0].KeyFile)
		require.NoError(t, err)
		require.NoError(t, os.RemoveAll(dir))
	})
}

// Init issues the certificates of nodes, or creates nothing.
func TestInitWithNodes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pki")
	options := pki.Options{CAValidity: year, Validity: day, Now: time.Now, Nodes: []pki.NodeHosts{
		{Node: node.Ref{Region: "eu", Name: "n1"}, Hosts: []string{"10.0.1.1"}},
		{Node: node.Ref{Region: "us", Name: "n1"}, Hosts: []string{"not a host"}},
	}}
	_, err := pki.Init(path, options)
	require.ErrorContains(t, err, `host "not a host" is neither`)
	require.NoDirExists(t, path)
	require.Error(t, pki.ValidateNode(options.Nodes[1]))

	options.Nodes[1].Hosts = []string{"us.example"}
	leaves, err := pki.Init(path, options)
	require.NoError(t, err)
	require.Len(t, leaves, 2*len(options.Nodes)+2)
	require.FileExists(t, filepath.Join(path, "nodes", "us", "n1", "etcd.key"))
	_, err = pki.Init(path, options)
	require.ErrorIs(t, err, pki.ErrHasAuthority)
}
