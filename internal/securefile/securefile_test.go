package securefile_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/securefile"
)

// newFile creates a file with the mode. The umask does not affect it.
func newFile(t *testing.T, mode os.FileMode) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, []byte("content"), 0o600))
	require.NoError(t, os.Chmod(name, mode))
	return name
}

func TestModes(t *testing.T) {
	t.Parallel()
	for mode, want := range map[os.FileMode]struct{ secret, trusted string }{
		0o600: {"", ""},
		0o400: {"", ""},
		0o640: {"", ""},
		0o440: {"", ""},
		0o700: {"", ""},
		0o644: {"mode 0644 lets every user of this machine access it; run chmod 600 ", ""},
		0o604: {"mode 0604 lets every user of this machine access it; run chmod 600 ", ""},
		0o660: {"mode 0660 lets its group change it; run chmod 600 ", ""},
		0o602: {"mode 0602 lets every user of this machine access it", "mode 0602 lets every user of this machine access it; run chmod o-w "},
		0o666: {"mode 0666 lets every user of this machine access it", "mode 0666 lets every user of this machine access it"},
		0o601: {"mode 0601 lets every user of this machine access it", ""},
	} {
		name := newFile(t, mode)
		for _, c := range []struct {
			read func(string) ([]byte, error)
			want string
		}{{securefile.ReadSecret, want.secret}, {securefile.ReadTrusted, want.trusted}} {
			content, err := c.read(name)
			if c.want == "" {
				require.NoError(t, err, "mode %04o", mode)
				require.Equal(t, "content", string(content))
				continue
			}
			require.ErrorContains(t, err, name+": "+c.want, "mode %04o", mode)
			require.Empty(t, content)
		}
	}
}

func TestPrivateModes(t *testing.T) {
	t.Parallel()
	for mode, want := range map[os.FileMode]string{
		0o600: "",
		0o700: "",
		0o640: "mode 0640 lets its group access it; run chmod 600 ",
		0o610: "mode 0610 lets its group access it; run chmod 600 ",
		0o620: "mode 0620 lets its group change it; run chmod 600 ",
		0o604: "mode 0604 lets every user of this machine access it; run chmod 600 ",
	} {
		name := newFile(t, mode)
		content, err := securefile.ReadPrivate(name)
		if want == "" {
			require.NoError(t, err, "mode %04o", mode)
			require.Equal(t, "content", string(content))
			continue
		}
		require.ErrorContains(t, err, name+": "+want, "mode %04o", mode)
		require.Empty(t, content)
	}
}

// Secrets of Kubernetes are links to links to a file. Only the file's own mode counts.
func TestSymbolicLinks(t *testing.T) {
	t.Parallel()
	secret, open := newFile(t, 0o600), newFile(t, 0o644)
	dir := t.TempDir()
	first, second := filepath.Join(dir, "data"), filepath.Join(dir, "key")
	require.NoError(t, os.Symlink(secret, first))
	require.NoError(t, os.Symlink("data", second))
	content, err := securefile.ReadSecret(second)
	require.NoError(t, err)
	require.Equal(t, "content", string(content))

	require.NoError(t, os.Remove(first))
	require.NoError(t, os.Symlink(open, first))
	_, err = securefile.ReadSecret(second)
	require.ErrorContains(t, err, second+": mode 0644")

	require.NoError(t, os.Remove(first))
	_, err = securefile.ReadSecret(second)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.Symlink("key", first))
	_, err = securefile.ReadSecret(second)
	require.ErrorIs(t, err, syscall.ELOOP)
}

// A named pipe without a writer must not block the reader.
func TestFilesThatAreNotRegular(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	for _, name := range []string{pipe, t.TempDir(), "/dev/null"} {
		_, err := securefile.ReadSecret(name)
		require.ErrorContains(t, err, name+": it is not a regular file", name)
	}
}

func TestForeignOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("changes the owner of a file, which needs root")
	}
	name := newFile(t, 0o600)
	require.NoError(t, os.Chown(name, 12345, 0))
	_, err := securefile.ReadSecret(name)
	require.ErrorContains(t, err, name+": the file belongs to user id 12345, not to this user (0) or root; change its owner with chown")
	_, err = securefile.ReadTrusted(name)
	require.ErrorContains(t, err, "belongs to user id 12345")
}

func TestLargeFileIsRejected(t *testing.T) {
	t.Parallel()
	name := newFile(t, 0o600)
	require.NoError(t, os.Truncate(name, 1<<20))
	_, err := securefile.ReadSecret(name)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(name, 1<<30))
	_, err = securefile.ReadSecret(name)
	require.ErrorContains(t, err, "the file is larger than 1048576 bytes")
}
