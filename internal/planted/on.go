//go:build planted

package planted

import (
	"fmt"
	"os"
	"slices"
	"sync/atomic"
)

// variable is the environment variable that names the active bug.
const variable = "RTMANAGER_PLANTED_BUG"

// active is the bug of this process, empty for none.
var active = load()

// executions counts the calls of Sometimes for the active bug.
var executions atomic.Int64

// load returns the bug that the environment names. It panics for an unknown name: a run that has
// no bug would otherwise pass as one with a bug that was not detected.
func load() Bug {
	bug := Bug(os.Getenv(variable))
	if bug != "" && !slices.Contains(All(), bug) {
		panic(fmt.Sprintf("%s=%s is not a planted bug; use one of %q", variable, bug, All()))
	}
	return bug
}

// Is reports whether the bug is active. It is safe for concurrent use.
func Is(bug Bug) bool { return bug == active }

// Sometimes reports whether the bug is active and this is an nth call for it: the nth, the 2nth and
// so on. It is safe for concurrent use.
func Sometimes(bug Bug, n int64) bool { return bug == active && executions.Add(1)%n == 0 }

// BuildFlags returns the flags that build other programs with the same tag.
func BuildFlags() []string { return []string{"-tags", "planted"} }
