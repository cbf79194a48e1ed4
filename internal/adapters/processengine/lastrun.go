package processengine

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/wait"
)

// The result of a run is read up to maxExitReads times, retryDelay apart; then it counts as
// lost. retryDelay is also the delay between attempts to open a pipe.
const (
	maxExitReads = 31
	retryDelay   = time.Second
)

// lastRun is the result of a run that has ended.
type lastRun struct {
	exists    bool // false: the container was never started
	port      int
	startedAt *time.Time
	exitedAt  *time.Time
	exitCode  *int
}

// readLastRun reads the result of a run that has ended. An error means that it cannot be read
// now, for example because of a lack of file descriptors.
func (c *processContainer) readLastRun(port int) (lastRun, error) {
	last := lastRun{exists: true, port: port, startedAt: modTime(c.file("process"))}
	text, err := os.ReadFile(c.file("exit"))
	if errors.Is(err, fs.ErrNotExist) {
		return last, nil // the parent script was killed, or the machine has crashed
	}
	if err != nil {
		return last, err
	}
	line, complete := strings.CutSuffix(string(text), "\n")
	if code, err := strconv.Atoi(line); complete && err == nil && code >= 0 {
		last.exitCode, last.exitedAt = &code, modTime(c.file("exit"))
	}
	return last, nil
}

// tryRecordExit sets the state of the container after its run has ended. If the result cannot
// be read, it returns an error and the state is unknown.
func (c *processContainer) tryRecordExit(port int) error {
	last, err := c.readLastRun(port)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastRun, c.isExitPending = last, err != nil
	if err == nil {
		c.run = nil
	}
	return err
}

// recordExit sets the state of the container after its run has ended, and emits the event. It
// retries while the result cannot be read. After the last attempt the container counts as
// exited with an unknown result.
func (e *Engine) recordExit(c *processContainer, port int) {
	err := c.tryRecordExit(port)
	for reads := 1; err != nil && reads < maxExitReads; reads++ {
		e.log.Error("cannot read the exit code of a game yet", "container", c.id, "error", err)
		if wait.For(e.lifetime.Context(), retryDelay) != nil {
			return // the next engine reads it
		}
		err = c.tryRecordExit(port)
	}
	if err != nil {
		e.log.Error("the exit code of a game is lost", "container", c.id, "error", err)
		c.mu.Lock()
		c.run, c.isExitPending = nil, false
		c.mu.Unlock()
	}
	e.emit(container.EventExited, c)
}

// modTime returns the time of the last write to the file; nil if it does not exist.
func modTime(name string) *time.Time {
	info, err := os.Lstat(name)
	if err != nil {
		return nil
	}
	at := info.ModTime().UTC()
	return &at
}

func fileExists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}
