package processengine

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

// readPast reads what the run that is over has left. An error says that this cannot
// be read now, for want of file descriptors say.
func (c *container) readPast(port int) (past, error) {
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
