package shim

import (
	"maps"
	"slices"
	"strings"
)

// execName is the first argument of the program that executes a game with the variables of a
// file. It is the program itself, which the shell executes by an inherited descriptor.
const execName = "rtmanager-exec"

// Descriptors of the shell and of the program that executes the game, if the game has a file of
// variables.
const (
	environmentFile = 3
	programFile     = 4
)

// ExecCommand returns the words of the shell command that executes a game with the variables of
// the file. The path of the executable and the arguments follow.
func ExecCommand() []string { return []string{"/proc/self/fd/4", execName} }

// EncodeEnvironment encodes variables as the kernel does in /proc/PID/environ.
func EncodeEnvironment(variables map[string]string) []byte {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		b.WriteString(name + "=" + variables[name] + "\x00")
	}
	return []byte(b.String())
}

// decodeEnvironment is the inverse of EncodeEnvironment, as NAME=VALUE.
func decodeEnvironment(text string) []string {
	return slices.DeleteFunc(strings.Split(text, "\x00"), func(variable string) bool { return variable == "" })
}

// parseExecArgs returns path and arguments of the game, and false for arguments of another
// program.
func parseExecArgs(args []string) (game []string, ok bool) {
	if len(args) < 3 || args[0] != ExecCommand()[0] || args[1] != execName {
		return nil, false
	}
	return args[2:], true
}
