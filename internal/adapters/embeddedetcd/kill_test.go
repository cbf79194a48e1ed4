package embeddedetcd_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
)

// writerDir is the environment variable that makes the test program a writer process on
// this directory.
const writerDir = "EMBEDDEDETCD_WRITER_DIR"

// runWriter starts a member and writes keys as fast as possible until it is killed. It
// prints each key after etcd has acknowledged it.
func runWriter(dir string) {
	ctx := context.Background()
	member, err := embeddedetcd.Start(ctx, config(dir))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for n := 0; ; n++ {
		key := fmt.Sprintf("%d/%d", os.Getpid(), n)
		if _, err := member.Client().Put(ctx, key, "value"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(key)
	}
}

// The writer is killed during the first start, during later starts and during writes.
func TestKilledMemberKeepsEveryAcknowledgedWrite(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts and kills ten processes")
	}
	dir := t.TempDir()
	var acknowledged []string
	for _, kill := range []struct {
		after  time.Duration // the time after the start of the process, or
		writes int           // the number of acknowledged writes
	}{
		{after: 25 * time.Millisecond}, {after: 35 * time.Millisecond}, {after: 50 * time.Millisecond}, {after: 80 * time.Millisecond},
		{writes: 1}, {writes: 20}, {after: 30 * time.Millisecond}, {writes: 200}, {after: 60 * time.Millisecond}, {writes: 500},
	} {
		acknowledged = append(acknowledged, killWriter(t, dir, kill.after, kill.writes)...)
	}

	member := start(t, config(dir))
	for _, key := range acknowledged {
		got, err := member.Client().Get(t.Context(), key)
		require.NoError(t, err)
		require.EqualValues(t, 1, got.Count, "acknowledged key %s is lost", key)
	}
	t.Logf("checked %d acknowledged writes", len(acknowledged))
}

// killWriter runs a writer process and kills it after the number of acknowledged writes,
// or after the time if the number is 0. It returns the acknowledged keys.
func killWriter(t *testing.T, dir string, after time.Duration, writes int) (acknowledged []string) {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append(os.Environ(), writerDir+"="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	if writes == 0 {
		defer time.AfterFunc(after, func() { _ = cmd.Process.Kill() }).Stop()
	}
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // an incomplete last line does not count
		}
		acknowledged = append(acknowledged, strings.TrimSpace(line))
		if len(acknowledged) == writes {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	require.Error(t, cmd.Wait())
	require.Empty(t, stderr.String(), "the writer must not fail before it is killed")
	require.GreaterOrEqual(t, len(acknowledged), writes)
	return acknowledged
}
