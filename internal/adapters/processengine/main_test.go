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

// testRoot is the directory of all files of the tests. No process may refer to it at the end.
var testRoot string

// gameFile returns the path of the built game server.
func gameFile() string { return filepath.Join(testRoot, "gameserver") }

func TestMain(m *testing.M) {
	if dir := os.Getenv(daemonDir); dir != "" {
		runDaemon(dir)
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	var err error
	if testRoot, err = os.MkdirTemp("", "processengine-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(testRoot)
	if err := enginetest.BuildGame(context.Background(), gameFile(), "1.0.0"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if remaining := remainingProcesses(); len(remaining) > 0 {
		fmt.Fprintln(os.Stderr, "processes remain:", remaining)
		code = max(code, 1)
	}
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

// remainingProcesses returns the command lines of processes that refer to testRoot. It waits
// for processes that are about to exit.
func remainingProcesses() (remaining []string) {
	for deadline := time.Now().Add(10 * time.Second); ; {
		remaining = nil
		all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, name := range all {
			line, _ := os.ReadFile(name)
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			if bytes.Contains(line, []byte(testRoot)) && pid != os.Getpid() {
				remaining = append(remaining, string(bytes.ReplaceAll(line, []byte{0}, []byte(" "))))
			}
		}
		if len(remaining) == 0 || time.Now().After(deadline) {
			return remaining
		}
		<-time.After(10 * time.Millisecond)
	}
}
