package etcdstore_test

import (
	"strings"
	"testing"

	"galaxy/rtmanager/internal/adapters/etcdstore"
)

// modes are the combinations of the optional mechanisms. The contract is the same in
// each.
var modes = map[string]etcdstore.Options{
	defaultMode: {},
	"cache":     {NoGroupCommit: true},
	"group":     {NoCache: true},
	"plain":     {NoCache: true, NoGroupCommit: true},
}

const (
	modePrefix  = "mode="
	defaultMode = "cache+group"
)

// inEveryMode runs a test once in each mode, which newFixture reads from the test's name.
// With -short it runs in the default mode only.
func inEveryMode(t *testing.T, test func(*testing.T)) {
	t.Parallel()
	for name := range modes {
		if testing.Short() && name != defaultMode {
			continue
		}
		t.Run(modePrefix+name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// withAndWithoutCache runs a test in the two modes that watch differently. With -short it
// runs in the default mode only.
func withAndWithoutCache(t *testing.T, test func(*testing.T)) {
	t.Parallel()
	for _, name := range []string{defaultMode, "group"} {
		if testing.Short() && name != defaultMode {
			continue
		}
		t.Run(modePrefix+name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// inMode sets the options of the mode that the test runs in, if it runs in one.
func inMode(t *testing.T, opts etcdstore.Options) etcdstore.Options {
	for part := range strings.SplitSeq(t.Name(), "/") {
		if name, ok := strings.CutPrefix(part, modePrefix); ok {
			opts.NoCache = opts.NoCache || modes[name].NoCache
			opts.NoGroupCommit = opts.NoGroupCommit || modes[name].NoGroupCommit
		}
	}
	return opts
}
