package embeddedetcd_test

import (
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
	for _, milliseconds := range []int{25, 35, 50, 80, 120, 200, 400, 30, 60, 600} {
		acknowledged = append(acknowledged, runVictim(t, dir, time.Duration(milliseconds)*time.Millisecond)...)
	}

	member := start(t, config(dir))
	for _, key := range acknowledged {
		got, err := member.Client().Get(t.Context(), key)
		require.NoError(t, err)
		require.EqualValues(t, 1, got.Count, "key %s was acknowledged and is lost", key)
	}
	require.NotEmpty(t, acknowledged, "no victim lived long enough to write")
	t.Logf("checked %d acknowledged writes", len(acknowledged))
}

// runVictim kills the victim after its lifetime and returns what was acknowledged.
func runVictim(t *testing.T, dir string, lifetime time.Duration) []string {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), lifetime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program) // ends it with SIGKILL
	cmd.Env = append(os.Environ(), victimDir+"="+dir)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.Error(t, cmd.Run())
	require.Empty(t, stderr.String(), "the victim must die of the kill alone")

	whole := stdout.String()
	whole = whole[:strings.LastIndex(whole, "\n")+1] // the kill may have cut a line
	return strings.Fields(whole)
}
