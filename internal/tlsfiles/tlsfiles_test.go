package tlsfiles_test

import (
	"bytes"
	"crypto/x509/pkix"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/certtest"
	"galaxy/rtmanager/internal/tlsfiles"
)

// clock is a clock that the test advances.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// newLog returns a logger and what it has logged.
func newLog() (*slog.Logger, *bytes.Buffer) {
	var log bytes.Buffer
	return slog.New(slog.NewTextHandler(&log, nil)), &log
}

func subject(name string) pkix.Name { return pkix.Name{CommonName: name} }

func TestCertificateIsReplacedWhileItIsUsed(t *testing.T) {
	t.Parallel()
	ca, dir, now := certtest.NewAuthority(t, "ca"), t.TempDir(), newClock()
	certFile, keyFile := ca.Issue(t, subject("first")).Write(t, dir)
	logger, log := newLog()
	pair, err := tlsfiles.OpenKeyPair(certFile, keyFile, logger)
	require.NoError(t, err)
	pair.SetClock(now.time)
	requireName := func(want, reason string) {
		t.Helper()
		require.Equal(t, want, pair.Current().Leaf.Subject.CommonName, reason)
	}
	requireName("first", "the files that were opened")

	ca.Issue(t, subject("second")).Write(t, dir)
	requireName("first", "files are read at most once a second")
	now.advance(time.Second)
	requireName("second", "a change is seen after a second")
	require.Equal(t, 1, strings.Count(log.String(), "was replaced; its new content is in use"))

	second, err := os.ReadFile(certFile)
	require.NoError(t, err)
	for name, content := range map[string][]byte{
		"half-written": second[:len(second)/2],
		"empty":        nil,
		"another key":  ca.Issue(t, subject("third")).CertPEM,
		"expired":      nil, // below
	} {
		log.Reset()
		failures := pair.State().Failures
		switch name {
		case "expired":
			ca.Issue(t, subject("third"), certtest.Expired).Write(t, dir)
		default:
			require.NoError(t, os.WriteFile(certFile, content, 0o600))
		}
		for range 3 {
			now.advance(time.Second)
			requireName("second", name)
		}
		state := pair.State()
		require.Equal(t, failures+3, state.Failures, name)
		require.ErrorContains(t, state.Err, certFile, name)
		require.Equal(t, 1, strings.Count(log.String(), "the previous content remains in use"), "one line for %s:\n%s", name, log)
		require.NotContains(t, log.String(), "PRIVATE")
		now.advance(time.Second)
		leaf := ca.Issue(t, subject("second"))
		leaf.Write(t, dir)
		requireName("second", "repaired")
		state = pair.State()
		require.NoError(t, state.Err)
		require.WithinDuration(t, leaf.TLS.Leaf.NotAfter, state.NotAfter, 0)
		require.Contains(t, log.String(), "its new content is in use")
	}

	require.NoError(t, os.Remove(keyFile))
	now.advance(time.Second)
	requireName("second", "the key file is missing")
	require.ErrorIs(t, pair.State().Err, os.ErrNotExist)
}

// A secret of Kubernetes is replaced by another target of its link ..data.
func TestKubernetesSecretIsReplaced(t *testing.T) {
	t.Parallel()
	ca, mount, now := certtest.NewAuthority(t, "ca"), t.TempDir(), newClock()
	publish := func(version, name string) {
		t.Helper()
		dir := filepath.Join(mount, version)
		require.NoError(t, os.Mkdir(dir, 0o700))
		ca.Issue(t, subject(name)).Write(t, dir)
		link := filepath.Join(mount, "..data_tmp")
		require.NoError(t, os.Symlink(version, link))
		require.NoError(t, os.Rename(link, filepath.Join(mount, "..data")))
	}
	publish("..1", "first")
	for _, name := range []string{"tls.crt", "tls.key"} {
		require.NoError(t, os.Symlink(filepath.Join("..data", name), filepath.Join(mount, name)))
	}
	pair, err := tlsfiles.OpenKeyPair(filepath.Join(mount, "tls.crt"), filepath.Join(mount, "tls.key"), nil)
	require.NoError(t, err)
	pair.SetClock(now.time)
	publish("..2", "second")
	now.advance(time.Second)
	require.Equal(t, "second", pair.Current().Leaf.Subject.CommonName)
}

func TestFilesThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	ca, dir := certtest.NewAuthority(t, "ca"), t.TempDir()
	certFile, keyFile := ca.Issue(t, subject("first")).Write(t, dir)
	open := func(certFile, keyFile string) error {
		_, err := tlsfiles.OpenKeyPair(certFile, keyFile, nil)
		return err
	}
	require.NoError(t, open(certFile, keyFile))

	require.ErrorIs(t, open(filepath.Join(dir, "missing"), keyFile), os.ErrNotExist)
	require.ErrorContains(t, open(keyFile, certFile), "use certificate "+keyFile+" with key "+certFile, "exchanged files")

	require.NoError(t, os.Chmod(keyFile, 0o644))
	require.ErrorContains(t, open(certFile, keyFile), "read key: "+keyFile+": mode 0644 lets every user of this machine access it; run chmod 600 "+keyFile)
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(keyFile, link))
	require.ErrorContains(t, open(certFile, link), "mode 0644", "the mode of the file counts, not that of the link")
	require.NoError(t, os.Chmod(keyFile, 0o600))
	require.NoError(t, open(certFile, link))

	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	require.ErrorContains(t, open(certFile, pipe), pipe+": it is not a regular file")
	_, err := tlsfiles.OpenPool(pipe, nil)
	require.ErrorContains(t, err, pipe+": it is not a regular file")
}

// An expired certificate does not keep a daemon from its games. Its state shows the expiry.
func TestExpiredCertificateCanBeOpenedAndReplaced(t *testing.T) {
	t.Parallel()
	ca, dir, now := certtest.NewAuthority(t, "ca"), t.TempDir(), newClock()
	certFile, keyFile := ca.Issue(t, subject("expired"), certtest.Expired).Write(t, dir)
	pair, err := tlsfiles.OpenKeyPair(certFile, keyFile, nil)
	require.NoError(t, err)
	pair.SetClock(now.time)
	require.Less(t, pair.State().NotAfter, now.time())

	ca.Issue(t, subject("future"), certtest.NotYetValid).Write(t, dir)
	now.advance(time.Second)
	require.Equal(t, "future", pair.Current().Leaf.Subject.CommonName, "neither can be used")
	ca.Issue(t, subject("valid")).Write(t, dir)
	now.advance(time.Second)
	require.Equal(t, "valid", pair.Current().Leaf.Subject.CommonName)
}

func TestAuthorities(t *testing.T) {
	t.Parallel()
	first, second, now := certtest.NewAuthority(t, "first"), certtest.NewAuthority(t, "second"), newClock()
	file := first.Write(t, t.TempDir())
	logger, log := newLog()
	pool, err := tlsfiles.OpenPool(file, logger)
	require.NoError(t, err)
	pool.SetClock(now.time)
	both := append(first.PEM(), second.PEM()...)
	write := func(content []byte) {
		t.Helper()
		require.NoError(t, os.WriteFile(file, content, 0o600))
		now.advance(time.Second)
	}

	write(append([]byte("comments are allowed\n"), both...))
	require.True(t, pool.Current().Equal(poolOf(first, second)))
	require.Equal(t, first.Cert.NotAfter, pool.State().NotAfter, "the first one that expires")
	for name, content := range map[string][]byte{
		"half-written second certificate": both[:len(both)-40],
		"no certificate":                  []byte("not a certificate"),
		"empty":                           nil,
		"malformed":                       []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
	} {
		write(content)
		require.True(t, pool.Current().Equal(poolOf(first, second)), "%s: the previous authorities remain in use", name)
		require.ErrorContains(t, pool.State().Err, file, name)
		_, err := tlsfiles.OpenPool(file, nil)
		require.ErrorContains(t, err, file, name)
	}
	write(second.PEM())
	require.True(t, pool.Current().Equal(poolOf(second)))
	require.NoError(t, pool.State().Err)
	require.Positive(t, pool.State().Failures)
	require.Contains(t, log.String(), "its new content is in use")

	require.NoError(t, os.Chmod(file, 0o666))
	now.advance(time.Second)
	require.ErrorContains(t, pool.State().Err, "mode 0666", "an authority that every user may replace")
}
