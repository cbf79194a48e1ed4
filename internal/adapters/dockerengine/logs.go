package dockerengine

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
)

// maxLogs is how much of a log is handed out.
const maxLogs = 64 << 10

// Logs returns the last lines that the container wrote to its output and its
// errors, in the order in which they came to the engine. Bytes that are not UTF-8 are replaced.
func (e *Engine) Logs(ctx context.Context, containerID string, lines int) ([]string, error) {
	found, err := e.logs(ctx, containerID, max(lines, 0))
	if err != nil {
		return nil, fmt.Errorf("logs: %w", err)
	}
	return found, nil
}

func (e *Engine) logs(ctx context.Context, id string, lines int) ([]string, error) {
	if _, err := e.look(ctx, id); err != nil {
		return nil, err
	}
	tail, err := within(ctx, e.cfg.CallTimeout, "container "+id, func(ctx context.Context) (*tail, error) {
		return e.readTail(ctx, id, lines)
	})
	if errdefs.IsNotFound(err) {
		return nil, e.confirmGone(ctx, id)
	}
	if err != nil {
		return nil, unavailable(err)
	}
	return tail.lines(lines), nil
}

func (e *Engine) readTail(ctx context.Context, id string, lines int) (*tail, error) {
	stream, err := e.api.ContainerLogs(ctx, id, client.ContainerLogsOptions{
		ShowStdout: true, ShowStderr: true, Tail: strconv.Itoa(lines),
	})
	if err != nil {
		return nil, err
	}
	kept := &tail{}
	_, err = stdcopy.StdCopy(kept, kept, stream)
	_ = stream.Close() // it has been read, or is given up
	return kept, err
}

// tail keeps the end of what is written to it.
type tail struct {
	kept []byte
	// cut tells that something came before kept.
	cut bool
}

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if len(t.kept) > 2*maxLogs {
		t.trim()
	}
	return len(p), nil
}

func (t *tail) trim() {
	if over := len(t.kept) - maxLogs; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
		t.cut = true
	}
}

// lines returns at most so many last lines, and none of which the beginning is
// lost, unless it is the only one.
func (t *tail) lines(most int) []string {
	t.trim()
	if len(t.kept) == 0 || most == 0 {
		return []string{}
	}
	all := strings.Split(strings.TrimSuffix(string(t.kept), "\n"), "\n")
	if t.cut && len(all) > 1 {
		all = all[1:]
	}
	all = all[max(len(all)-most, 0):]
	for i, line := range all {
		all[i] = strings.ToValidUTF8(strings.TrimSuffix(line, "\r"), "?") // never longer than what it replaces
	}
	return all
}
