package enginetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func processTests(h Harness) []contractTest {
	if !h.RunsGames {
		return nil
	}
	return []contractTest{
		{"a game that is killed leaves no process", func(t *testing.T, f *fixture) {
			c := f.runReady(t, "--with-child", "--ignore-sigterm")
			f.stop(t, c.ID, 0)
			clientOf(c).requireClosed(t)
		}},
		{"a game that exits within the grace leaves no process", func(t *testing.T, f *fixture) {
			c := f.runReady(t, "--with-child")
			requireExit(t, f.stop(t, c.ID, time.Second), 0)
			clientOf(c).requireClosed(t)
		}},
		{"a game that crashes leaves no process", func(t *testing.T, f *fixture) {
			c := f.runReady(t, "--with-child")
			f.crash(t, c, 3)
			requireExit(t, f.waitExited(t, c.ID), 3)
			clientOf(c).requireClosed(t)
		}},
		{"a game that is removed leaves no process", func(t *testing.T, f *fixture) {
			c := f.runReady(t, "--with-child")
			f.remove(t, c.ID)
			clientOf(c).requireClosed(t)
		}},
		{"a server in another session ends with its container", testDetachedServerEnds},
		{"a server whose launcher has exited ends, or its container is running", testLauncherLeaves},
	}
}

// testDetachedServerEnds runs a server in a session of its own, without open descriptors, whose
// launcher stays.
func testDetachedServerEnds(t *testing.T, f *fixture) {
	for end, stop := range map[string]func(c container.Container){
		"stop":                func(c container.Container) { f.stop(t, c.ID, time.Second) },
		"stop without grace":  func(c container.Container) { f.stop(t, c.ID, 0) },
		"remove":              func(c container.Container) { f.remove(t, c.ID) },
		"the launcher's kill": func(c container.Container) { f.Kill(t, c); f.waitExited(t, c.ID) },
	} {
		for _, reopens := range []bool{false, true} {
			c := f.runReady(t, "--detach=stay")
			if reopens {
				f.reopen(t)
			}
			stop(c)
			clientOf(c).requireClosed(t)
			t.Logf("%s, reopened: %v", end, reopens)
		}
	}
}

func testLauncherLeaves(t *testing.T, f *fixture) {
	for _, reopens := range []bool{false, true} {
		c := f.run(t, "--detach=leave")
		var now container.Container
		eventually(t, "the server responds, or the container exits", func() bool {
			now = f.inspect(t, c.ID)
			return now.State == container.StateExited || clientOf(c).isReady(t)
		})
		if reopens {
			f.reopen(t)
			now = f.inspect(t, c.ID)
		}
		if now.State == container.StateRunning {
			clientOf(c).waitReady(t)
			f.stop(t, c.ID, longGrace)
		}
		require.Equal(t, container.StateExited, f.inspect(t, c.ID).State)
		if c.Endpoint != "" { // a container that had exited when it was first inspected has none
			clientOf(c).requireClosed(t)
		}
	}
}
