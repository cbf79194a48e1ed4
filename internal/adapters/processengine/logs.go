package processengine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"galaxy/rtmanager/internal/domain/container"
)

const (
	// maxTail is how many bytes of a log are told, and are left of one that has
	// become too large.
	maxTail = 64 << 10
	// logsEvery is how often logs are looked after.
	logsEvery = time.Minute
)

// Logs reads the end of the log; bytes that are not UTF-8 come as question marks.
func (e *Engine) Logs(ctx context.Context, containerID string, lines int) ([]string, error) {
	_, done, err := e.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	c, err := e.find(containerID)
	if err != nil {
		return nil, err
	}
	if _, err := e.look(c); err != nil {
		return nil, err
	}
	told, err := c.tail(lines)
	if err != nil {
		return nil, c.wrap("logs of", fmt.Errorf("%w: %w", container.ErrEngineUnavailable, err))
	}
	return told, nil
}

// tail returns the last lines of the log, without the beginning of one that is
// too long.
func (c *processContainer) tail(lines int) ([]string, error) {
	c.logs.Lock()
	defer c.logs.Unlock()
	before, err := endOf(c.file("log.1"))
	if err != nil {
		return nil, err
	}
	now, err := endOf(c.file("log"))
	if err != nil {
		return nil, err
	}
	return lastLines(append(before, now...), lines), nil
}

// lastLines splits text, of which at most maxTail bytes count.
func lastLines(text []byte, lines int) []string {
	text = bytes.TrimSuffix(text, []byte("\n"))
	if cut := len(text) - maxTail; cut > 0 {
		rest := text[cut:]
		if _, whole, found := bytes.Cut(text[cut-1:], []byte("\n")); found {
			rest = whole
		}
		text = rest
	}
	if len(text) == 0 || lines <= 0 {
		return []string{}
	}
	all := strings.Split(string(text), "\n")
	all = all[max(0, len(all)-lines):]
	for i, line := range all {
		all[i] = strings.ToValidUTF8(strings.TrimSuffix(line, "\r"), "?")
	}
	return all
}

// endOf returns the end of the file, a little more than maxTail of it; none is empty.
func endOf(name string) ([]byte, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	const wanted = maxTail + 2 // one newline at either end
	return io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-wanted), wanted))
}

// shortenLog moves the end of a log that is larger than limit to log.1 and begins
// it anew. The game appends, so it goes on in the file that is empty now; what it
// writes in between is lost.
func (c *processContainer) shortenLog(limit int64) error {
	c.logs.Lock()
	defer c.logs.Unlock()
	info, err := os.Stat(c.file("log"))
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() <= limit {
		return nil
	}
	if err != nil {
		return err
	}
	end, err := endOf(c.file("log"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.file("log.1"), end, 0o600); err != nil {
		return err
	}
	return os.Truncate(c.file("log"), 0)
}

// keepLogsSmall looks after the logs until the engine is closed.
func (e *Engine) keepLogsSmall() {
	tick := time.NewTicker(logsEvery)
	defer tick.Stop()
	for {
		select {
		case <-e.life.Done():
			return
		case <-tick.C:
			e.ShortenLogs()
		}
	}
}

// ShortenLogs drops all but the end of each log that is larger than MaxLogBytes.
// The engine does so by itself.
func (e *Engine) ShortenLogs() {
	for _, c := range e.all() {
		if err := c.shortenLog(e.cfg.MaxLogBytes); err != nil {
			e.log.Warn("cannot shorten a log", "container", c.id, "error", err)
		}
	}
}
