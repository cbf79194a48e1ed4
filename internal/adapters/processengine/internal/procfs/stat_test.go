package procfs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/processengine/internal/procfs"
)

func TestReadStat(t *testing.T) {
	t.Parallel()
	fields := " S 7" + strings.Repeat(" 1", 17) + " 4711 0\n" // the state, the parent, … the start time
	for name, test := range map[string]struct {
		text string
		want procfs.Stat
		ok   bool
	}{
		"complete":             {"12 (sh)" + fields, procfs.Stat{PID: 12, Parent: 7, StartTime: "4711"}, true},
		"name with a stat":     {"12 (a) R 1 (b)" + fields, procfs.Stat{PID: 12, Parent: 7, StartTime: "4711"}, true},
		"empty":                {text: ""},
		"text":                 {text: "no process\n"},
		"incomplete":           {text: "12 (sh) S 7 1"},
		"pid that is not one":  {text: "x (sh)" + fields},
		"pid of init":          {text: "1 (init)" + fields},
		"parent that is no id": {text: "12 (sh) S x" + strings.Repeat(" 1", 17) + " 4711"},
	} {
		file := filepath.Join(t.TempDir(), "stat")
		require.NoError(t, os.WriteFile(file, []byte(test.text), 0o600))
		got, ok := procfs.ReadStat(file)
		require.Equal(t, test.ok, ok, name)
		if test.ok {
			require.Equal(t, test.want, got, name)
		}
	}
	_, ok := procfs.ReadStat(filepath.Join(t.TempDir(), "missing"))
	require.False(t, ok)
}
