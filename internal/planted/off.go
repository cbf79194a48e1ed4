//go:build !planted

package planted

// Is reports whether the bug is active: never, in a build without the tag planted.
func Is(Bug) bool { return false }

// Sometimes reports whether this execution of the bug's hook has the bug: never, in a build without
// the tag planted.
func Sometimes(Bug, int64) bool { return false }

// BuildFlags returns the flags that build other programs with the same tag: none.
func BuildFlags() []string { return nil }
