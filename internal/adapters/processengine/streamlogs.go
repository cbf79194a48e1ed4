package processengine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"galaxy/rtmanager/internal/adapters/processengine/internal/gamelog"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/wait"
)

// followInterval is the time between two checks of a followed log for further lines.
const followInterval = 200 * time.Millisecond

// StreamLogs implements ports.Engine. The times of lines have a precision of a tenth of a second. Lines
// of an earlier version of the engine have no times: Since does not select them, and IsPrevious selects none of
// a container that this version has not started.
func (e *Engine) StreamLogs(ctx context.Context, containerID string, options container.LogOptions) iter.Seq2[container.LogLine, error] {
	return func(yield func(container.LogLine, error) bool) {
		if err := e.streamLogs(ctx, containerID, options, yield); err != nil {
			yield(container.LogLine{}, err)
		}
	}
}

func (e *Engine) streamLogs(ctx context.Context, containerID string, options container.LogOptions, yield func(container.LogLine, error) bool) error {
	ctx, end, err := e.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	c, err := e.find(containerID)
	if err != nil {
		return err
	}
	if _, err := e.inspect(c); err != nil {
		return err
	}
	err = e.sendLines(ctx, c, options, yield)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		err = unavailable(ctx)
	case !errors.Is(err, container.ErrEngineUnavailable):
		err = fmt.Errorf("%w: %w", container.ErrEngineUnavailable, err)
	}
	return c.wrap("logs of", err)
}

// lineSelection selects lines of a log by their order.
type lineSelection struct {
	options container.LogOptions
	// skipped is the number of selected lines to skip first.
	skipped int
	// lastRun is the run after those that are selected; 0 selects all.
	lastRun int
}

// selectLines counts the lines of the snapshot for options that depend on the end of the log, and
// returns the reader to its start. Without other options than Tail, that is near the last lines: the log can be large.
func selectLines(ctx context.Context, snapshot *gamelog.Reader, options container.LogOptions) (lineSelection, error) {
	selection := lineSelection{options: options}
	if options.Tail < 0 && !options.IsPrevious {
		return selection, nil
	}
	if !options.IsPrevious && options.Since.IsZero() {
		if err := snapshot.SeekTail(options.Tail); err != nil {
			return selection, err
		}
	}
	countByRun := map[int]int{}
	err := readAll(ctx, snapshot, func(line gamelog.Line) bool {
		if selection.hasTime(line) {
			countByRun[line.Run]++
		}
		return true
	})
	if options.IsPrevious {
		selection.lastRun = snapshot.Run()
		delete(countByRun, selection.lastRun)
	}
	if options.Tail >= 0 {
		count := -options.Tail
		for _, ofRun := range countByRun {
			count += ofRun
		}
		selection.skipped = max(0, count)
	}
	return selection, errors.Join(err, snapshot.Rewind())
}

func (s *lineSelection) hasTime(line gamelog.Line) bool {
	return s.options.Since.IsZero() || !line.Time.Before(s.options.Since)
}

// contains reports whether the next line is selected.
func (s *lineSelection) contains(line gamelog.Line) bool {
	if !s.hasTime(line) || s.options.IsPrevious && line.Run >= s.lastRun {
		return false
	}
	if s.skipped > 0 {
		s.skipped--
		return false
	}
	return true
}

// readAll calls next for each line of the snapshot until it returns false.
func readAll(ctx context.Context, snapshot *gamelog.Reader, next func(gamelog.Line) bool) error {
	if isComplete, err := sendAvailable(ctx, snapshot, next); err != nil || !isComplete {
		return err
	}
	if line, hasRest := snapshot.Rest(); hasRest {
		next(line)
	}
	return nil
}

// sendLines yields the selected lines, and follows the log until the run in progress has ended. Without
// following, it ends with what the log has at the start, however fast the game writes.
func (e *Engine) sendLines(ctx context.Context, c *processContainer, options container.LogOptions, yield func(container.LogLine, error) bool) error {
	reader, err := c.log.NewSnapshot()
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }()
	selection, err := selectLines(ctx, reader, options)
	if err != nil {
		return err
	}
	send := func(line gamelog.Line) bool {
		return !selection.contains(line) || yield(container.LogLine{Time: line.Time, Text: line.Text}, nil)
	}
	if !options.IsFollowing || options.IsPrevious {
		return readAll(ctx, reader, send)
	}
	reader.Follow()
	r, err := c.currentRun()
	if err != nil {
		return err
	}
	for {
		hasEnded := r.hasEnded()
		isSent, err := sendAvailable(ctx, reader, send)
		if err != nil || !isSent {
			return err
		}
		if hasEnded {
			if line, hasRest := reader.Rest(); hasRest {
				send(line)
			}
			return nil
		}
		if err := wait.For(ctx, followInterval); err != nil {
			return err
		}
	}
}

// hasEnded reports whether all processes of the run have exited. nil is no run.
func (r *run) hasEnded() bool {
	if r == nil {
		return true
	}
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// sendAvailable sends the complete lines, and returns false if the consumer needs no more.
func sendAvailable(ctx context.Context, reader *gamelog.Reader, send func(gamelog.Line) bool) (bool, error) {
	for {
		line, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			return true, ctx.Err()
		case err != nil:
			return false, err
		case ctx.Err() != nil:
			return false, ctx.Err()
		case !send(line):
			return false, nil
		}
	}
}
