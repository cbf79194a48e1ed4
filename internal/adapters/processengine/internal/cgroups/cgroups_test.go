package cgroups

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseHierarchies(t *testing.T) {
	t.Parallel()
	const v2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
	const hybrid = "31 23 0:27 / /cg/memory rw - cgroup cgroup rw,memory\n" +
		"32 23 0:28 / /cg/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
		"33 23 0:29 / /cg/pids rw - cgroup cgroup rw,pids\n" +
		"34 23 0:30 / /cg/unified rw - cgroup2 cgroup2 rw\n"
	for name, test := range map[string]struct {
		mounts, memberships string
		want                []string
	}{
		"version 2":             {v2, "0::/system.slice/x.service\n", []string{"/sys/fs/cgroup/system.slice/x.service"}},
		"daemon in a subgroup":  {v2, "0::/system.slice/x.service/daemon\n", []string{"/sys/fs/cgroup/system.slice/x.service"}},
		"root":                  {v2, "0::/\n", []string{"/sys/fs/cgroup"}},
		"part of the hierarchy": {"30 23 0:26 /docker/a /sys/fs/cgroup rw - cgroup2 cgroup rw\n", "0::/docker/a/b\n", []string{"/sys/fs/cgroup/b"}},
		"hybrid":                {hybrid, "9:name=systemd:/\n8:pids:/p\n4:memory:/m\n2:cpu,cpuacct:/c\n0::/u\n", []string{"/cg/memory/m", "/cg/cpu,cpuacct/c", "/cg/unified/u"}},
		"no membership":         {v2, "4:memory:/m\n", nil},
		"other mounts":          {"30 23 0:26 / /tmp rw - tmpfs tmpfs rw\nincomplete\n", "0::/\n", nil},
	} {
		var got []string
		for _, h := range parseHierarchies(test.mounts, test.memberships) {
			got = append(got, h.parent)
		}
		require.Equal(t, test.want, got, name)
	}
}

// A process in a group below that of the game is one of the game.
func TestGroupsOfAGame(t *testing.T) {
	t.Parallel()
	host := Detect("/bin/sh")
	if !host.HasGroups() {
		t.Skip("this machine does not permit control groups")
	}
	id := "test-" + filepath.Base(t.TempDir()) + time.Now().Format("150405.000000")
	require.NoError(t, host.Create(id, Limits{}))
	groups := host.Groups(id)
	t.Cleanup(func() { _ = Remove(groups) })
	inner := filepath.Join(groups[len(groups)-1], "inner")
	require.NoError(t, os.Mkdir(inner, 0o755))
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `echo 0 >"$0/cgroup.procs"; exec sleep 1000`, inner)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	require.Eventually(t, func() bool { return slices.Contains(Processes(groups), cmd.Process.Pid) }, 30*time.Second, 5*time.Millisecond)

	require.Error(t, Remove(groups), "a process lives")
	if !Kill(groups) {
		require.NoError(t, cmd.Process.Kill())
	}
	_ = cmd.Wait()
	require.Eventually(t, func() bool { return Remove(groups) == nil }, 30*time.Second, 5*time.Millisecond)
	require.Empty(t, Processes(groups))
	require.Zero(t, OOMKills(groups))
	require.NoError(t, Remove(groups), "they do not exist")
}
