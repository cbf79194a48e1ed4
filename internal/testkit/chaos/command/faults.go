package command

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos"
)

// commandTimeout bounds a command of a fault.
const commandTimeout = 2 * time.Minute

// commandFault is a fault that shell commands inject and repair.
type commandFault struct{ kind, target, inject, repair string }

// parseFault parses NAME=INJECT;REPAIR, where NAME is KIND or KIND@TARGET. The first semicolon ends INJECT, which uses && for several commands.
func parseFault(text string) (commandFault, error) {
	name, commands, hasCommands := strings.Cut(text, "=")
	inject, repair, _ := strings.Cut(commands, ";")
	kind, target, hasTarget := strings.Cut(name, "@")
	if !hasTarget {
		target = "cluster"
	}
	fault := commandFault{strings.TrimSpace(kind), strings.TrimSpace(target), strings.TrimSpace(inject), strings.TrimSpace(repair)}
	if !hasCommands || fault.kind == "" || fault.inject == "" {
		return fault, errors.New("must be 'NAME=INJECT;REPAIR', such as 'daemon stopped@eu-1=systemctl stop rtmanager;systemctl start rtmanager'")
	}
	return fault, nil
}

// fault returns the fault, which lasts at most the duration. A failed injection is repaired at once,
// because it may have had an effect. The end of a run does not end a command.
func (f commandFault) fault(longest time.Duration) chaos.Fault {
	return chaos.Fault{Kind: f.kind, Target: f.target, MaxDuration: longest, Inject: func(ctx context.Context, _ *rand.Rand) (func(context.Context) error, string, error) {
		if err := execute(ctx, f.inject); err != nil {
			return nil, f.inject, errors.Join(err, execute(ctx, f.repair))
		}
		return func(ctx context.Context) error { return execute(ctx, f.repair) }, f.inject, nil
	}}
}

// execute executes a shell command. The error has the end of its output.
func execute(ctx context.Context, command string) error {
	if command == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commandTimeout)
	defer cancel()
	shell := exec.CommandContext(ctx, "sh", "-c", command) //nolint:gosec // the command of the operator
	shell.WaitDelay = time.Second                          // a child in the background may keep the output open
	output, err := shell.CombinedOutput()
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		const most = 500
		return fmt.Errorf("execute %q: %w: %s", command, err, output[max(0, len(output)-most):])
	}
	return nil
}
