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

// maxLogBytes is the most that Logs returns.
const maxLogBytes = 64 << 10

// Logs implements ports.Engine. The lines are those of standard output and standard error,
// in the order in which the engine received them. Bytes that are not UTF-8 are replaced by
// question marks.
func (e *Engine) Logs(ctx context.Context, containerID string, lines int) ([]string, error) {
	found, err := e.readLogs(ctx, containerID, max(lines, 0))
	if err != nil {
		return nil, fmt.Errorf("logs: %w", err)
	}
	return found, nil
}

func (e *Engine) readLogs(ctx context.Context, id string, lines int) ([]string, error) {
	if _, err := e.inspectOwned(ctx, id); err != nil {
		return nil, err
	}
	tail, err := callWithTimeout(ctx, e.cfg.CallTimeout, "container "+id, func(ctx context.Context) (*logTail, error) {
		return e.readTail(ctx, id, lines)
	})
	if errdefs.IsNotFound(err) {
		return nil, e.confirmMissing(ctx, id)
	}
	if err != nil {
		return nil, unavailable(err)
	}
	return tail.lines(lines), nil
}

func (e *Engine) readTail(ctx context.Context, id string, lines int) (*logTail, error) {
	stream, err := e.api.ContainerLogs(ctx, id, client.ContainerLogsOptions{
		ShowStdout: true, ShowStderr: true, Tail: strconv.Itoa(lines),
	})
	if err != nil {
		return nil, err
	}
	tail := &logTail{}
	_, err = stdcopy.StdCopy(tail, tail, stream)
	_ = stream.Close() // it was read to its end, or has failed
	return tail, err
}

// logTail keeps the end of the data that is written to it.
type logTail struct {
	data        []byte
	isTruncated bool // earlier data was dropped
}

// Write implements io.Writer.
func (t *logTail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if len(t.data) > 2*maxLogBytes {
		t.trim()
	}
	return len(p), nil
}

// trim drops all but the last maxLogBytes.
func (t *logTail) trim() {
	if excess := len(t.data) - maxLogBytes; excess > 0 {
		t.data = append(t.data[:0], t.data[excess:]...)
		t.isTruncated = true
	}
}

// lines returns at most limit last lines. It omits a line without its start, unless that is
// the only line.
func (t *logTail) lines(limit int) []string {
	t.trim()
	if len(t.data) == 0 || limit == 0 {
		return []string{}
	}
	all := strings.Split(strings.TrimSuffix(string(t.data), "\n"), "\n")
	if t.isTruncated && len(all) > 1 {
		all = all[1:]
	}
	all = all[max(len(all)-limit, 0):]
	for i, line := range all {
		all[i] = strings.ToValidUTF8(strings.TrimSuffix(line, "\r"), "?") // never longer than the replaced bytes
	}
	return all
}
