package processengine

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// readPast reads what the run that is over has left.
func (c *container) readPast(port int) past {
	p := past{started: true, port: port, startedAt: modified(c.file("process"))}
	text, err := os.ReadFile(c.file("exit"))
	if err != nil {
		return p // its shell was killed, or the machine has gone down
	}
	line, whole := strings.CutSuffix(string(text), "\n")
	code, err := strconv.Atoi(line)
	if !whole || err != nil || code < 0 {
		return p
	}
	p.code, p.exited = &code, modified(c.file("exit"))
	return p
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
