package healthprobe

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
)

// maxOutputBytes bounds the output of a command in an error.
const maxOutputBytes = 256

// run returns nil if the command exits with 0. The error has the start of its output.
func (p *Prober) run(bound context.Context, target operation.HealthTarget) error {
	if p.commands == nil {
		return errors.New("the engine of this node runs no commands in games, which the health check needs")
	}
	var output clippedOutput
	code, err := p.commands.Exec(bound, target.ContainerID, container.Command{Args: target.Command, Stdout: &output, Stderr: &output})
	switch {
	case bound.Err() != nil:
		return fmt.Errorf("command %q: %w", target.Command, bound.Err())
	case err != nil:
		return fmt.Errorf("command %q: %w", target.Command, err)
	case code == 0:
		return nil
	}
	text := strings.ToValidUTF8(strings.TrimSpace(output.text.String()), "?")
	if text == "" {
		return fmt.Errorf("command %q exited with code %d", target.Command, code)
	}
	return fmt.Errorf("command %q exited with code %d: %q", target.Command, code, text)
}
