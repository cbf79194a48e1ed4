package shim

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// Exit codes of a game that cannot be executed, as those of the program env.
const (
	exitNotExecutable = 126
	exitNotFound      = 127
)

// execGame replaces this process by the game, with the variables of the inherited file and no
// others. It returns the exit code if that fails.
func execGame(game []string) int {
	file := os.NewFile(environmentFile, "environment")
	variables, err := io.ReadAll(file)
	_ = file.Close()
	_ = syscall.Close(programFile)
	if err != nil {
		return reportExec(game[0], err)
	}
	environment := decodeEnvironment(string(variables))
	err = syscall.Exec(game[0], game, environment)
	if errors.Is(err, syscall.ENOEXEC) { // a script without the name of its interpreter
		err = syscall.Exec("/bin/sh", append([]string{"sh"}, game...), environment)
	}
	return reportExec(game[0], err)
}

// reportExec writes the error to the output of the game.
func reportExec(image string, err error) int {
	_, _ = os.Stderr.WriteString(image + ": " + err.Error() + "\n")
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, exec.ErrNotFound) {
		return exitNotFound
	}
	return exitNotExecutable
}
