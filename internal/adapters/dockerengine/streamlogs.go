package dockerengine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	mobycontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/domain/container"
)

// errEndOfLog ends a read of the log before its end: the consumer or the selection has ended.
var errEndOfLog = errors.New("no more lines are needed")

// StreamLogs implements ports.Engine. The engine reads the log as the consumer reads the lines.
func (e *Engine) StreamLogs(ctx context.Context, containerID string, options container.LogOptions) iter.Seq2[container.LogLine, error] {
	return func(yield func(container.LogLine, error) bool) {
		if err := e.streamLogs(ctx, containerID, options, yield); err != nil && !errors.Is(err, errEndOfLog) {
			yield(container.LogLine{}, fmt.Errorf("logs: %w", err))
		}
	}
}

func (e *Engine) streamLogs(ctx context.Context, id string, options container.LogOptions, yield func(container.LogLine, error) bool) error {
	if _, err := e.inspectOwned(ctx, id); err != nil {
		return err
	}
	request := client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Follow: options.IsFollowing && !options.IsPrevious}
	if !options.Since.IsZero() {
		request.Since = formatUnix(options.Since)
	}
	if !options.IsPrevious {
		if options.Tail >= 0 {
			request.Tail = strconv.Itoa(options.Tail)
		}
		return e.readLines(ctx, id, request, func(line container.LogLine) bool { return yield(line, nil) })
	}
	startedAt, err := e.latestRunStart(ctx, id)
	if err != nil || startedAt == nil {
		return err
	}
	// The engine selects the last lines before it selects by time, so the lines of earlier runs
	// are counted first.
	isPrevious := func(line container.LogLine) bool { return line.Time.Before(*startedAt) }
	skipped := 0
	if options.Tail >= 0 {
		count := 0
		err := e.readLines(ctx, id, request, func(line container.LogLine) bool {
			if isPrevious(line) {
				count++
			}
			return true
		})
		if err != nil {
			return err
		}
		skipped = max(0, count-options.Tail)
	}
	return e.readLines(ctx, id, request, func(line container.LogLine) bool {
		switch {
		case !isPrevious(line):
			return true
		case skipped > 0:
			skipped--
			return true
		}
		return yield(line, nil)
	})
}

// latestRunStart returns a time between the lines of the latest run and those of earlier runs. It returns nil for a
// container that has not run, and for one whose only run is known to be in progress.
//
// The engine notes a start after it has happened, so a game may have written its first lines before that time. While
// the game runs, the engine also has the time of the previous exit, and a new run begins well after that: so the middle
// of both is used. Of an exited container the engine has the exit of the latest run only.
func (e *Engine) latestRunStart(ctx context.Context, id string) (*time.Time, error) {
	c, err := callWithTimeout(ctx, e.cfg.CallTimeout, "container "+id, func(ctx context.Context) (mobycontainer.InspectResponse, error) {
		return e.inspect(ctx, id)
	})
	switch {
	case errdefs.IsNotFound(err):
		return nil, e.confirmMissing(ctx, id)
	case err != nil:
		return nil, unavailable(err)
	}
	started, exited := parseTime(c.State.StartedAt), parseTime(c.State.FinishedAt)
	switch {
	case started == nil || stateOf(c.State.Status) != container.StateRunning:
		return started, nil
	case exited == nil:
		return nil, nil
	case exited.Before(*started):
		middle := exited.Add(started.Sub(*exited) / 2)
		return &middle, nil
	}
	return started, nil
}

// formatUnix returns a time in the form that the engine parses.
func formatUnix(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }

// readLines calls next for each line until next returns false, which is errEndOfLog.
func (e *Engine) readLines(ctx context.Context, id string, request client.ContainerLogsOptions, next func(container.LogLine) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opening := time.AfterFunc(e.cfg.CallTimeout, cancel)
	stream, err := e.api.ContainerLogs(ctx, id, request)
	switch isTimely := opening.Stop(); {
	case errdefs.IsNotFound(err):
		return e.confirmMissing(ctx, id)
	case err != nil && !isTimely:
		return fmt.Errorf("%w: no response within %s", container.ErrEngineUnavailable, e.cfg.CallTimeout)
	case err != nil && ctx.Err() != nil:
		return contextError(ctx, err)
	case err != nil:
		return unavailable(err)
	}
	defer func() { _ = stream.Close() }() // it was read to its end, or is not needed
	out, errs := &lineWriter{next: next}, &lineWriter{next: next}
	_, err = stdcopy.StdCopy(out, errs, stream)
	switch {
	case errors.Is(err, errEndOfLog):
		return err
	case ctx.Err() != nil:
		return contextError(ctx, ctx.Err())
	case err != nil:
		return unavailable(err)
	}
	return errors.Join(out.flush(), errs.flush())
}

// lineWriter joins the messages of one output to lines. Each Write is one message of the engine: a time, and
// a line or a part of one.
type lineWriter struct {
	next    func(container.LogLine) bool
	partial []byte
	time    time.Time // of the first part
}

// Write implements io.Writer. It returns errEndOfLog if next returns false.
func (w *lineWriter) Write(message []byte) (int, error) {
	text := message
	if stamp, rest, found := bytes.Cut(message, []byte(" ")); found {
		if at, err := time.Parse(time.RFC3339Nano, string(stamp)); err == nil {
			text = rest
			if len(w.partial) == 0 {
				w.time = at.UTC()
			}
		}
	}
	for len(text) > 0 {
		part, rest, hasEnd := bytes.Cut(text, []byte("\n"))
		if space := container.MaxLogLineBytes - len(w.partial); len(part) > space {
			part, rest, hasEnd = text[:space], text[space:], true
		}
		w.partial, text = append(w.partial, part...), rest
		if hasEnd && !w.send() {
			return 0, errEndOfLog
		}
	}
	return len(message), nil
}

// flush sends the last line if it has no end.
func (w *lineWriter) flush() error {
	if len(w.partial) > 0 && !w.send() {
		return errEndOfLog
	}
	return nil
}

func (w *lineWriter) send() bool {
	line := container.LogLine{Time: w.time, Text: strings.ToValidUTF8(strings.TrimSuffix(string(w.partial), "\r"), "?")}
	w.partial = w.partial[:0]
	return w.next(line)
}
