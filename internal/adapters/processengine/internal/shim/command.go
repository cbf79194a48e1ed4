package shim

import (
	"os/exec"
	"strconv"
)

// commandName is the first argument of the parent of a command.
const commandName = "rtmanager-command"

// Session is a command that an operator runs with a game.
type Session struct {
	Groups []string // control groups that the command joins
	// HasTerminal makes the standard input the controlling terminal of the command.
	HasTerminal bool
	Args        []string // the command
}

// SessionCommand returns the parent of the command. The caller sets the directory, a pipe as descriptor 3 whose
// end ends the command, and a file with the variables of the command as descriptor 4, in the form of
// EncodeEnvironment. It exits with the code of the command, once no process of the command lives.
func SessionCommand(s Session) *exec.Cmd {
	args := []string{commandName, strconv.FormatBool(s.HasTerminal), strconv.Itoa(len(s.Groups))}
	args = append(args, s.Groups...)
	return &exec.Cmd{Path: "/proc/self/exe", Args: append(args, s.Args...), Env: []string{searchPath, "GOMAXPROCS=1"}}
}

// parseSession returns the session of the arguments, and false if they are not those of SessionCommand.
func parseSession(args []string) (Session, bool) {
	if len(args) < 4 || args[0] != commandName {
		return Session{}, false
	}
	hasTerminal, err := strconv.ParseBool(args[1])
	count, errCount := strconv.Atoi(args[2])
	rest := args[3:]
	if err != nil || errCount != nil || count < 0 || count >= len(rest) {
		return Session{}, false
	}
	return Session{Groups: rest[:count], HasTerminal: hasTerminal, Args: rest[count:]}, true
}
