package processengine

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"galaxy/rtmanager/internal/domain/container"
)

// recallTries is how often what a run has left is read again, a second apart, until
// how it ended counts as lost.
const recallTries = 30

// readPast reads what the run that is over has left. An error says that this cannot
// be read now, for want of file descriptors say.
func (c *processContainer) readPast(port int) (past, error) {
	p := past{started: true, port: port, startedAt: modified(c.file("process"))}
	text, err := os.ReadFile(c.file("exit"))
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil // its shell was killed, or the machine has gone down
	}
	if err != nil {
		return p, err
	}
	line, whole := strings.CutSuffix(string(text), "\n")
	if code, wrong := strconv.Atoi(line); whole && wrong == nil && code >= 0 {
		p.code, p.exited = &code, modified(c.file("exit"))
	}
	return p, nil
}

// recall notes how the latest run, which is over, has ended. Until that can be read,
// and after an error, the container is unknown.
func (c *processContainer) recall(port int) error {
	last, err := c.readPast(port)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last, c.unread = last, err != nil
	if err == nil {
		c.run = nil
	}
	return err
}

// conclude recalls how the latest run has ended, and tells of it. That can take a while,
// and comes to an end: for all that is known the game has exited, if not how.
func (e *Engine) conclude(c *processContainer, port int) {
	err := c.recall(port)
	for tries := 0; err != nil && tries < recallTries; tries++ {
		e.log.Error("how a game has exited cannot be read yet", "container", c.id, "error", err)
		if _, closed := wait(e.life, nil, time.Second); closed != nil {
			return // the next engine reads it
		}
		err = c.recall(port)
	}
	if err != nil {
		e.log.Error("how a game has exited is lost", "container", c.id, "error", err)
		c.mu.Lock()
		c.run, c.unread = nil, false
		c.mu.Unlock()
	}
	e.tell(container.EventExited, c)
}

// modified returns when the file was last written, nil if there is none.
func modified(name string) *time.Time {
	info, err := os.Lstat(name)
	if err != nil {
		return nil
	}
	at := info.ModTime().UTC()
	return &at
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}
