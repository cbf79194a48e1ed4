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
	selection, err := selectLines(c.log, options)
	if err == nil {
		err = e.sendLines(ctx, c, selection, yield)
	}
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

// selectLines counts the lines for options that depend on the end of the log.
func selectLines(log *gamelog.Log, options container.LogOptions) (lineSelection, error) {
	selection := lineSelection{options: options}
	if options.Tail < 0 && !options.IsPrevious {
		return selection, nil
	}
	countByRun := map[int]int{}
	runs, err := readAll(log, func(line gamelog.Line) bool {
		if selection.hasTime(line) {
			countByRun[line.Run]++
		}
		return true
	})
	if options.IsPrevious {
		selection.lastRun = runs
		delete(countByRun, runs)
	}
	if options.Tail >= 0 {
		count := -options.Tail
		for _, ofRun := range countByRun {
			count += ofRun
		}
		selection.skipped = max(0, count)
	}
	return selection, err
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

// readAll calls next for each line of the log until it returns false, and returns the number of runs.
func readAll(log *gamelog.Log, next func(gamelog.Line) bool) (runs int, err error) {
	reader, err := log.NewReader()
	if err != nil {
		return 0, err
	}
	defer func() { _ = reader.Close() }()
	for {
		line, err := reader.Next()
		if errors.Is(err, io.EOF) {
			if line, hasRest := reader.Rest(); hasRest {
				next(line)
			}
			return reader.Run(), nil
		}
		if err != nil || !next(line) {
			return reader.Run(), err
		}
	}
}

// sendLines yields the selected lines, and follows the log until the run in progress has ended.
func (e *Engine) sendLines(ctx context.Context, c *processContainer, selection lineSelection, yield func(container.LogLine, error) bool) error {
	send := func(line gamelog.Line) bool {
		return !selection.contains(line) || yield(container.LogLine{Time: line.Time, Text: line.Text}, nil)
	}
	if !selection.options.IsFollowing || selection.options.IsPrevious {
		_, err := readAll(c.log, func(line gamelog.Line) bool { return ctx.Err() == nil && send(line) })
		return errors.Join(err, ctx.Err())
	}
	reader, err := c.log.NewReader()
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }()
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
