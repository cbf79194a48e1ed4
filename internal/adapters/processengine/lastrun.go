package processengine

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"galaxy/rtmanager/internal/adapters/processengine/internal/cgroups"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/wait"
)

// The result of a run is read up to maxExitReads times, retryDelay apart; then it counts as
// lost. retryDelay is also the delay between attempts to open a pipe.
const (
	maxExitReads = 31
	retryDelay   = time.Second
)

// killedExitCode is the exit code of a process that signal 9 has killed.
const killedExitCode = 128 + 9

// lastRun is the result of a run that has ended.
type lastRun struct {
	exists    bool // false: the container was never started
	port      int
	startedAt *time.Time
	exitedAt  *time.Time
	exitCode  *int
	stop      stopResult // zero: no stop
	oomKills  int        // the number of processes that the kernel killed for lack of memory
}

// runResult is the content of result.json, which the engine writes when a run has ended.
type runResult struct {
	OOMKills int `json:"oom_kills"`
}

// recordResult writes result.json and removes the control groups of the run, which contain the
// result. It does nothing if the result was recorded before.
func (e *Engine) recordResult(c *processContainer, groups []string) {
	if fileExists(c.file("result.json")) {
		return
	}
	if err := writeJSON(c.file("result.json"), runResult{OOMKills: cgroups.OOMKills(groups)}); err != nil {
		e.log.Warn("cannot record the result of a run", "container", c.id, "error", err)
	}
	e.removeGroups(c, groups)
}

// removeGroups removes the control groups of a game without processes.
func (e *Engine) removeGroups(c *processContainer, groups []string) {
	if err := cgroups.Remove(groups); err != nil {
		e.log.Warn("cannot remove the control groups of a game", "container", c.id, "error", err)
	}
}

// hasMainOOM reports whether lack of memory ended the run: the kernel has killed a process of the
// run, and its first process was killed, but not by a stop.
func (l lastRun) hasMainOOM() bool {
	return l.oomKills > 0 && !l.stop.HasKilled && l.exitCode != nil && *l.exitCode == killedExitCode
}

// hasForcedStop reports whether a stop had to kill processes after its grace.
func (l lastRun) hasForcedStop() bool { return l.stop.HasKilled && l.stop.Grace != "0s" }

// readLastRun reads the result of a run that has ended. An error means that it cannot be read
// now, for example because of a lack of file descriptors.
func (c *processContainer) readLastRun(port int) (lastRun, error) {
	last := lastRun{exists: true, port: port, startedAt: modTime(c.file("process"))}
	var result runResult
	_ = readJSON(c.file("result.json"), &result) // without the file, both are unknown
	_ = readJSON(c.file("stop.json"), &last.stop)
	last.oomKills = result.OOMKills
	text, err := os.ReadFile(c.file("exit"))
	if errors.Is(err, fs.ErrNotExist) {
		return last, nil // the shim was killed, or the machine has crashed
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
