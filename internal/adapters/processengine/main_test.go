package processengine_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"galaxy/rtmanager/internal/testkit/enginetest"
)

// root holds all that the tests make. Whatever runs below it at the end was left behind.
var root string

// gameFile is the built game server.
func gameFile() string { return filepath.Join(root, "gameserver") }

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		victim(dir)
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	var err error
	if root, err = os.MkdirTemp("", "processengine-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(root)
	if err := enginetest.BuildGame(context.Background(), gameFile(), "1.0.0"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if left := leftovers(); len(left) > 0 {
		fmt.Fprintln(os.Stderr, "processes were left behind:", left)
		code = max(code, 1)
	}
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

// leftovers returns the command lines of processes that have to do with root,
// once those that are dying have had time to.
func leftovers() (left []string) {
	for deadline := time.Now().Add(10 * time.Second); ; {
		left = nil
		all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, name := range all {
			line, _ := os.ReadFile(name)
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			if bytes.Contains(line, []byte(root)) && pid != os.Getpid() {
				left = append(left, string(bytes.ReplaceAll(line, []byte{0}, []byte(" "))))
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		<-time.After(10 * time.Millisecond)
	}
}
