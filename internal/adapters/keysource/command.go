package keysource

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// maxBytes is the size of the largest output of a command.
const maxBytes = 64 << 10

// DefaultTimeout bounds one run of a command.
const DefaultTimeout = 10 * time.Second

// errTooLong ends the reading of the output of a command.
var errTooLong = errors.New("output is too long")

// Command is the source of the standard output of a command, which a shell runs with the
// environment of this process. Its standard error is discarded, since it can contain keys.
type Command struct {
	Line string
	// Timeout bounds one run; the processes of the command are then killed. Default
	// DefaultTimeout.
	Timeout time.Duration
}

// Load runs the command and returns its output. The error contains neither the command nor
// its output.
func (c Command) Load(ctx context.Context) ([]byte, error) {
	timeout := cmp.Or(c.Timeout, DefaultTimeout)
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	output := &boundedBuffer{}
	cmd := exec.CommandContext(bounded, "/bin/sh", "-c", c.Line)
	cmd.Stdout = output
	cmd.WaitDelay = time.Second // for a descendant that keeps the output open
	killGroup(cmd)
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("the key command was interrupted: %w", context.Cause(ctx))
	case bounded.Err() != nil:
		return nil, fmt.Errorf("the key command did not end within %s and was killed", timeout)
	case output.isTooLong:
		return nil, fmt.Errorf("the key command wrote more than %d bytes", maxBytes)
	case errors.As(err, &exit):
		return nil, fmt.Errorf("the key command failed: %s", exit.ProcessState)
	case err != nil:
		return nil, fmt.Errorf("the key command cannot be run: %w", err)
	}
	return output.content.Bytes(), nil
}

// boundedBuffer keeps at most maxBytes.
type boundedBuffer struct {
	content   bytes.Buffer
	isTooLong bool
}

// Write implements io.Writer. It fails after maxBytes, so that the command ends by SIGPIPE.
func (b *boundedBuffer) Write(p []byte) (int, error) {
	if b.content.Len()+len(p) > maxBytes {
		b.isTooLong = true
		return 0, errTooLong
	}
	return b.content.Write(p)
}
