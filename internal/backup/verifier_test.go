package backup_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/backup"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// A verifier in another process reports what it finds, or why it cannot.
func TestVerifierProcess(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	insert(t, openStore(t, server.Client(), ""), "a")
	for name, c := range map[string]struct{ script, expected string }{
		"reports":  {`echo '{"format":1,"bytes":1,"revision":7,"stores":[{"prefix":"","records":3,"findings":2}]}'; exit 1`, ""},
		"fails":    {"echo cannot open $1 >&2; exit 1", "verify the copy: cannot open "},
		"no JSON":  {"echo done", "verify the copy"},
		"is ended": {"kill -9 $$", "signal: killed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			manifest, err := backup.Save(t.Context(), server.Client(), filepath.Join(dir, "b"), backup.SaveOptions{Verifier: []string{"sh", "-c", c.script, "sh"}})
			if c.expected != "" {
				require.ErrorContains(t, err, c.expected)
				require.Empty(t, names(t, dir))
				return
			}
			require.NoError(t, err)
			require.EqualValues(t, 7, manifest.Revision)
			require.Equal(t, 3, manifest.Records())
			require.Equal(t, 2, manifest.Findings())
		})
	}
}

// Without a writable directory for temporary files, the copy is verified next to the backup.
func TestVerifierWithoutATemporaryDirectory(t *testing.T) {
	server, dir := etcdtest.Start(t), t.TempDir()
	insert(t, openStore(t, server.Client(), ""), "a")
	t.Setenv("TMPDIR", filepath.Join(dir, "missing"))
	script := `printf %s "$TMPDIR" >` + filepath.Join(dir, "tmpdir") + `; echo '{"format":1,"bytes":1}'`
	_, err := backup.Save(t.Context(), server.Client(), filepath.Join(dir, "b"), backup.SaveOptions{Verifier: []string{"sh", "-c", script, "sh"}})
	require.NoError(t, err)
	used, err := os.ReadFile(filepath.Join(dir, "tmpdir"))
	require.NoError(t, err)
	require.Equal(t, dir, string(used))
}
