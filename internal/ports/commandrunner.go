package ports

import (
	"context"

	"galaxy/rtmanager/internal/domain/container"
)

// CommandRunner runs commands in the containers of an engine. It is optional: a caller detects it in an Engine
// by a type assertion.
type CommandRunner interface {
	// Exec runs the command in a running container, with the variables, the working directory and the
	// limits of the container's first process, and returns the exit code of the command once its output
	// was written. A command that cannot be executed has the code container.ExitNotFound or
	// container.ExitNotExecutable, and the reason in its output.
	//
	// Exec returns container.ErrNoContainer if there is no such container, container.ErrNotRunning if it
	// does not run, and container.ErrEngineUnavailable if ctx has ended, after the engine has ended the
	// command as far as it can. A command does not outlive its container. It does not keep the container
	// running, and nothing of it is in the log of the container.
	Exec(ctx context.Context, containerID string, command container.Command) (exitCode int, err error)
}
