package procfs_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/processengine/internal/procfs"
)

func TestFindByEachFeature(t *testing.T) {
	t.Parallel()
	pipe, info := pipeFile(t)
	holder, _ := startProcess(t, pipe, "sleep", "1000")
	marked, _ := startProcess(t, nil, "env", "MARK="+t.Name(), "sleep", "1000")
	require.Eventually(t, func() bool {
		return slices.Contains(procfs.Find(procfs.Match{Variable: "MARK=" + t.Name()}), marked)
	}, waitTimeout, pollInterval)

	require.Equal(t, []int{holder}, procfs.Find(procfs.Match{Pipe: info}))
	require.Equal(t, []int{marked}, procfs.Find(procfs.Match{Variable: "MARK=" + t.Name()}))
	require.Empty(t, procfs.Find(procfs.Match{Variable: "MARK=" + t.Name()[1:]}))
	require.Empty(t, procfs.Find(procfs.Match{}), "no feature matches nothing")
}

// A descendant of a process that matches need not match itself.
func TestFindIncludesDescendants(t *testing.T) {
	t.Parallel()
	parent, _ := startProcess(t, nil, "env", "MARK="+t.Name(), "sh", "-c", "env -i /bin/sh -c 'sleep 1000; :'; :")
	require.Eventually(t, func() bool {
		found := procfs.Find(procfs.Match{Variable: "MARK=" + t.Name()})
		return len(procfs.Descendants(parent)) == 2 && len(procfs.Alive(found)) == 3
	}, waitTimeout, pollInterval)
	procfs.SignalAll(func() []int { return procfs.Descendants(parent) }, syscall.SIGKILL)
}

func TestFindExecutable(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("sleep")
	require.NoError(t, err)
	content, err := os.ReadFile(program)
	require.NoError(t, err)
	copied := filepath.Join(t.TempDir(), "sleep")
	require.NoError(t, os.WriteFile(copied, content, 0o700))
	if err := exec.CommandContext(t.Context(), copied, "0").Run(); err != nil {
		t.Skip("a copy of sleep does not run: ", err)
	}
	pid, _ := startProcess(t, nil, copied, "1000")
	startProcess(t, nil, program, "1000")
	require.Equal(t, []int{pid}, procfs.Find(procfs.Match{Executable: copied}))
}

// A process is signalled only if it is a member before and after its handle is opened.
func TestSignalAllVerifiesTheMembers(t *testing.T) {
	t.Parallel()
	former, _ := startProcess(t, nil, "sleep", "1000")
	stays, exited := startProcess(t, nil, "sleep", "1000")
	results := [][]int{{former, stays}, {stays}}
	signalled := procfs.SignalAll(func() []int {
		members := results[0]
		results = results[1:]
		return members
	}, syscall.SIGKILL)
	require.Equal(t, 1, signalled)
	waitExited(t, exited)
	require.NoError(t, syscall.Kill(former, 0))
}

func TestAliveOmitsZombies(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "true")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Wait() })
	runs, _ := startProcess(t, nil, "sleep", "1000")
	require.Eventually(t, func() bool {
		return slices.Equal([]int{runs}, procfs.Alive([]int{runs, cmd.Process.Pid, runs, 1 << 30}))
	}, waitTimeout, pollInterval)
	stat, ok := procfs.ReadStat(fmt.Sprintf("/proc/%d/stat", runs))
	require.True(t, ok)
	require.True(t, stat.IsAlive())
	stat.StartTime += "0"
	require.False(t, stat.IsAlive(), "a later process with the pid")
}
