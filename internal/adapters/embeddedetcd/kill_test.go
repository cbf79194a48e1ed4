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

// victimDir names the variable that turns the test program into the victim.
const victimDir = "EMBEDDEDETCD_VICTIM_DIR"

// victim starts a member and writes keys as fast as it can, each named on
// standard output once etcd has acknowledged it, until it is killed.
func victim(dir string) {
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

// The kills fall into the first start, into later starts and into writes.
func TestKilledMemberComesBackWithEveryAcknowledgedWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var acknowledged []string
	for _, kill := range []struct {
		after  time.Duration // the start, or
		writes int           // so many acknowledged writes
	}{
		{after: 25 * time.Millisecond}, {after: 35 * time.Millisecond}, {after: 50 * time.Millisecond}, {after: 80 * time.Millisecond},
		{writes: 1}, {writes: 20}, {after: 30 * time.Millisecond}, {writes: 200}, {after: 60 * time.Millisecond}, {writes: 500},
	} {
		acknowledged = append(acknowledged, runVictim(t, dir, kill.after, kill.writes)...)
	}

	member := start(t, config(dir))
	for _, key := range acknowledged {
		got, err := member.Client().Get(t.Context(), key)
		require.NoError(t, err)
		require.EqualValues(t, 1, got.Count, "key %s was acknowledged and is lost", key)
	}
	t.Logf("checked %d acknowledged writes", len(acknowledged))
}

// runVictim kills the victim once it has had so many writes acknowledged, or for
// none once the time has passed. It returns what was acknowledged.
func runVictim(t *testing.T, dir string, after time.Duration, writes int) (acknowledged []string) {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append(os.Environ(), victimDir+"="+dir)
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
			break // the kill may have cut a line, which then tells of nothing
		}
		acknowledged = append(acknowledged, strings.TrimSpace(line))
		if len(acknowledged) == writes {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	require.Error(t, cmd.Wait())
	require.Empty(t, stderr.String(), "the victim must die of the kill alone")
	require.GreaterOrEqual(t, len(acknowledged), writes)
	return acknowledged
}
